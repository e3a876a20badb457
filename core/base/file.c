// Reading a whole file: see file.h.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

enum { STEP = 65536 };

static _Thread_local char failure[96];

const char *file_kind(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "a file";
    case S_IFDIR:
      return "a folder";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

static const char *fail(int error) {
  snprintf(failure, sizeof failure, "%s", error_text(error));
  errno = error;
  return failure;
}

static const char *read_all(int fd, size_t max, struct buf *out) {
  size_t before = buf_len(out);
  for (;;) {
    ssize_t got = read(fd, buf_reserve(out, STEP), STEP);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno);
    if (got == 0) return NULL;
    buf_grew(out, (size_t)got);
    if (buf_len(out) - before > max) break;
  }
  errno = 0;
  snprintf(failure, sizeof failure, "it is larger than %zu bytes", max);
  return failure;
}

const char *file_read(const char *path, size_t max, struct buf *out) {
  // Without O_NONBLOCK the open of a FIFO waits for a writer.
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail(errno);
  struct stat info;
  const char *error = NULL;
  if (fstat(fd, &info) != 0) {
    error = fail(errno);
  } else if (!S_ISREG(info.st_mode)) {
    errno = 0;
    snprintf(failure, sizeof failure, "it is %s, not a file", file_kind(info.st_mode));
    error = failure;
  } else {
    error = read_all(fd, max, out);
  }
  close(fd);
  return error;
}
