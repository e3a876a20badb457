// The control socket: see control.h.
#include "script/reload/control.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"

enum { COMMAND_WAIT_MS = 200 };

static const char command[] = "reload\n";

struct control {
  uv_poll_t poll;
  int fd;
  control_fn *on_reload;
  void *arg;
};

// Fills in the abstract address of dir; 0 when dir cannot be looked at.
static socklen_t address_of(const char *dir, struct sockaddr_un *out) {
  struct stat info;
  if (stat(dir, &info) != 0) return 0;
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  int len = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "tidegate-%llx-%llx",
                     (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

static int is_allowed(int fd) {
  struct ucred peer;
  socklen_t len = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return 0;
  return peer.uid == geteuid() || peer.uid == 0;
}

// The main thread serves nobody else, so it can wait a moment for seven bytes.
static int read_command(int fd) {
  char text[sizeof command] = "";
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (poll(&ready, 1, COMMAND_WAIT_MS) != 1) return 0;
  ssize_t got = recv(fd, text, sizeof command - 1, MSG_DONTWAIT);
  return got == (ssize_t)sizeof command - 1 && memcmp(text, command, (size_t)got) == 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct control *control = poll->data;
  (void)status, (void)events;
  int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  if (is_allowed(fd) && read_command(fd))
    control->on_reload(control->arg, fd);
  else
    control_answer(fd, 0, "refused");
}

struct control *control_start(uv_loop_t *loop, const char *dir, control_fn *on_reload, void *arg) {
  struct sockaddr_un address;
  socklen_t len = address_of(dir, &address);
  if (len == 0) return NULL;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 16) != 0) {
    log_warn("`tidegate reload` will not reach this server: %s",
             errno == EADDRINUSE ? "another one serves the same folder" : error_text(errno));
    if (fd >= 0) close(fd);
    return NULL;
  }
  struct control *control = mem_zalloc(sizeof *control);
  *control = (struct control){.fd = fd, .on_reload = on_reload, .arg = arg};
  uv_poll_init(loop, &control->poll, fd);
  control->poll.data = control;
  uv_poll_start(&control->poll, UV_READABLE, on_readable);
  return control;
}

static void on_closed(uv_handle_t *handle) {
  struct control *control = handle->data;
  close(control->fd);
  free(control);
}

void control_stop(struct control *control) {
  if (control == NULL) return;
  uv_poll_stop(&control->poll);
  uv_close((uv_handle_t *)&control->poll, on_closed);
}

void control_answer(int fd, int ok, const char *text) {
  char *line = mem_format("%s %s\n", ok ? "ok" : "failed", text);
  ssize_t ignored = send(fd, line, strlen(line), MSG_NOSIGNAL);
  (void)ignored;
  free(line);
  close(fd);
}

int control_reload(const char *dir) {
  struct sockaddr_un address;
  socklen_t len = address_of(dir, &address);
  if (len == 0) {
    fprintf(stderr, "tidegate: %s: %s\n", dir, error_text(errno));
    return 1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) != 0) {
    fprintf(stderr, "tidegate: no server serves %s\n", dir);
    if (fd >= 0) close(fd);
    return 1;
  }
  ssize_t ignored = send(fd, command, sizeof command - 1, MSG_NOSIGNAL);
  (void)ignored;
  char answer[2048];
  size_t used = 0;
  ssize_t got;
  while (used < sizeof answer - 1 &&
         (got = recv(fd, answer + used, sizeof answer - 1 - used, 0)) > 0) {
    used += (size_t)got;
  }
  answer[used] = '\0';
  close(fd);
  int ok = strncmp(answer, "ok ", 3) == 0;
  const char *text = strchr(answer, ' ');
  fprintf(ok ? stdout : stderr, "%s%s",
          ok ? "" : "tidegate: ", text != NULL ? text + 1 : "the server went away\n");
  return ok ? 0 : 1;
}
