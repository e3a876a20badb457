// A descriptor in reserve: see spare_file.h.
#include "net/spare_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void fill(struct spare_file *spare) {
  if (spare->fd < 0) spare->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void spare_file_open(struct spare_file *spare) {
  spare->fd = -1;
  fill(spare);
}

void spare_file_close(struct spare_file *spare) {
  if (spare->fd >= 0) close(spare->fd);
  spare->fd = -1;
}

int spare_file_accept(struct spare_file *spare, int listener, int flags) {
  fill(spare);
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
  if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || spare->fd < 0) return fd;
  spare_file_close(spare);
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
}
