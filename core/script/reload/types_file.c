// Types for editors: see types_file.h.
#include "script/reload/types_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "script/reload/embedded.h"

static const char meta[] = "---@meta";
static const char own_head[] = "---@meta tidegate\n-- Written by tidegate ";

bool types_file_is_meta(struct slice text) {
  return text.len >= sizeof meta - 1 && memcmp(text.ptr, meta, sizeof meta - 1) == 0;
}

// The text to write: the types of the framework, with a second line that says whose they are.
static struct buf make_text(void) {
  struct buf out = {0};
  buf_printf(&out, "%s" TIDEGATE_VERSION ": `tidegate types` overwrites this file.\n", own_head);
  for (size_t i = 0; i < embedded_lua_count; i++) {
    const struct embedded_file *file = &embedded_lua[i];
    if (strcmp(file->name, "tidegate.types") != 0) continue;
    const char *text = (const char *)file->data;
    const char *second = memchr(text, '\n', file->size);
    if (second != NULL) buf_append(&out, second + 1, file->size - (size_t)(second + 1 - text));
  }
  return out;
}

// Why what is at the path must stay; NULL when nothing is there, or what we wrote.
static char *find_foreign(const char *path) {
  char head[sizeof own_head - 1];
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return NULL;
  if (fd < 0) return mem_strdup(error_text(errno));
  ssize_t count = read(fd, head, sizeof head);
  close(fd);
  if (count == (ssize_t)sizeof head && memcmp(head, own_head, sizeof head) == 0) return NULL;
  return mem_strdup("there is a file of yours already; it was not touched");
}

static bool write_all(int fd, struct slice text) {
  while (text.len > 0) {
    ssize_t count = write(fd, text.ptr, text.len);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text = slice_of(text.ptr + count, text.len - (size_t)count);
  }
  return true;
}

// Whole or not at all: an editor may be reading. NULL, or why it failed.
static char *replace_file(const char *path, struct slice text) {
  char *temporary = mem_format("%s.%d.new", path, (int)getpid());
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  bool ok = fd >= 0 && write_all(fd, text);
  int failure = errno;
  if (fd >= 0 && close(fd) != 0 && ok) ok = false, failure = errno;
  if (ok && rename(temporary, path) != 0) ok = false, failure = errno;
  if (!ok && fd >= 0) unlink(temporary);
  free(temporary);
  return ok ? NULL : mem_strdup(error_text(failure));
}

int types_file_write(const char *dir) {
  char *path = mem_format("%s/tidegate.lua", dir);
  char *error = NULL;
  if (mkdir(dir, 0777) != 0 && errno != EEXIST) error = mem_strdup(error_text(errno));
  if (error == NULL) error = find_foreign(path);
  if (error == NULL) {
    struct buf text = make_text();
    error = replace_file(path, buf_slice(&text));
    buf_free(&text);
  }
  if (error != NULL)
    fprintf(stderr, "tidegate: %s: %s\n", path, error);
  else
    printf("wrote %s: editors that speak LuaLS know gate, req, res, ws and stream now\n", path);
  int status = error != NULL ? EXIT_FAILURE : EXIT_SUCCESS;
  free(error);
  free(path);
  return status;
}
