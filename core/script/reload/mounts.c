// Changed mounts: see mounts.h.
#include "script/reload/mounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct mounts {
  uv_poll_t poll;
  int fd;
  void (*on_change)(void *arg);
  void *arg;
};

static void on_changed(uv_poll_t *poll, int status, int events) {
  struct mounts *mounts = poll->data;
  (void)events;
  if (status == 0)
    mounts->on_change(mounts->arg);
  else
    uv_poll_stop(poll);
}

struct mounts *mounts_open(uv_loop_t *loop, void (*on_change)(void *arg), void *arg) {
  int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  struct mounts *mounts = mem_alloc(sizeof *mounts);
  *mounts = (struct mounts){.fd = fd, .on_change = on_change, .arg = arg};
  if (uv_poll_init(loop, &mounts->poll, fd) != 0) {  // a /proc that cannot be polled
    close(fd);
    free(mounts);
    return NULL;
  }
  mounts->poll.data = mounts;
  uv_poll_start(&mounts->poll, UV_PRIORITIZED, on_changed);  // the file itself is always readable
  return mounts;
}

static void on_closed(uv_handle_t *handle) {
  struct mounts *mounts = handle->data;
  close(mounts->fd);
  free(mounts);
}

void mounts_close(struct mounts *mounts) {
  if (mounts == NULL) return;
  uv_poll_stop(&mounts->poll);
  uv_close((uv_handle_t *)&mounts->poll, on_closed);
}
