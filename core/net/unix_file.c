// The file of a unix socket: see unix_file.h.
#include "net/unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { LOCK_TRIES = 200, LOCK_PAUSE_NS = 5000000 };

// ---- one at a time ------------------------------------------------------------

// Servers that start and stop look at a file and then change it, which is two steps. So they
// lock its folder meanwhile, which leaves no file behind. The system ends the lock with the
// process. A second at most is spent on it: other programs may lock the folder for reasons of
// their own, and one that cannot be read cannot be locked.
static int lock_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = slash != NULL ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
  for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
    nanosleep(&pause, NULL);
  return fd;
}

static void unlock_folder(int fd) {
  if (fd >= 0) close(fd);
}

// ---- making -------------------------------------------------------------------

// A full backlog is that of a living process.
static bool is_dead(const struct sockaddr_un *where) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool dead =
      connect(fd, (const struct sockaddr *)where, sizeof *where) != 0 && errno == ECONNREFUSED;
  close(fd);
  return dead;
}

// 0 when there is no file now, or -errno.
static int make_free(const struct sockaddr_un *where) {
  struct stat info;
  if (lstat(where->sun_path, &info) != 0) return errno == ENOENT ? 0 : -errno;
  if (!S_ISSOCK(info.st_mode)) return -EEXIST;
  if (!is_dead(where)) return -EADDRINUSE;
  return unlink(where->sun_path) == 0 ? 0 : -errno;
}

static int bind_at(const struct sockaddr_un *where, int backlog) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (bind(fd, (const struct sockaddr *)where, sizeof *where) == 0 && listen(fd, backlog) == 0)
    return fd;
  int failure = -errno;
  close(fd);
  return failure;
}

// While the file is open, the system gives its inode number to no other. Returns the socket,
// or -errno.
static int hold_file(const char *path, int fd, int *file) {
  *file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (*file >= 0) return fd;
  int failure = -errno;
  close(fd);
  unlink(path);
  return failure;
}

int unix_file_listen(const char *path, int backlog, int *file) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
  int lock = lock_folder(path);
  int fd = make_free(&where);
  if (fd == 0) fd = bind_at(&where, backlog);
  *file = -1;
  if (fd >= 0) fd = hold_file(path, fd, file);
  unlock_folder(lock);
  return fd;
}

// ---- removing -----------------------------------------------------------------

static bool is_still(const char *path, int file) {
  struct stat there, ours;
  return lstat(path, &there) == 0 && fstat(file, &ours) == 0 && there.st_dev == ours.st_dev &&
         there.st_ino == ours.st_ino;
}

void unix_file_remove(const char *path, int file) {
  if (file < 0) return;
  int lock = lock_folder(path);
  if (is_still(path, file)) unlink(path);
  unlock_folder(lock);
  close(file);
}
