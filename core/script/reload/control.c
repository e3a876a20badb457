// The control socket: see control.h.
#include "script/reload/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/spare_file.h"
#include "script/reload/control_address.h"
#include "script/reload/scan.h"

enum {
  COMMAND_WAIT_MS = 1000,
  RETRY_MS = 100,      // accepting again after descriptors ran out
  NAME_MS = 1000,      // between two tries to have a name that another server has
  ANSWER_WAIT_S = 120  // the client's, for a server that does not answer
};

static const char command[] = "reload\n";

// One of the two names.
struct door {
  uv_poll_t poll;
  struct control *control;
  struct sockaddr_un address;
  int fd;
};

struct control {
  uv_loop_t *loop;
  char *dir;
  struct door *by_folder, *by_path;  // NULL: none
  struct spare_file spare;           // to accept with when there is no other descriptor
  uv_timer_t retry;
  bool is_short;    // of descriptors: logged once
  bool is_unheard;  // without a name: logged once
  control_fn *on_reload;
  void *arg;
};

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

static void on_readable(uv_poll_t *poll, int status, int events);

static void listen_at(struct door *door) {
  if (door != NULL) uv_poll_start(&door->poll, UV_READABLE, on_readable);
}

static void have_names(struct control *control);

static void on_retry(uv_timer_t *timer) {
  struct control *control = timer->data;
  listen_at(control->by_folder);
  listen_at(control->by_path);
  have_names(control);
}

// Who waits keeps the socket readable, so polling on would spin.
static void pause_accepting(struct control *control, struct door *door) {
  if (!control->is_short) log_warn("`tidegate reload` waits: %s", error_text(errno));
  control->is_short = true;
  uv_poll_stop(&door->poll);
  uv_timer_start(&control->retry, on_retry, RETRY_MS, 0);
}

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct door *door = poll->data;
  struct control *control = door->control;
  (void)status, (void)events;
  int fd = spare_file_accept(&control->spare, door->fd, 0);
  if (fd < 0 && is_shortage(errno)) pause_accepting(control, door);
  if (fd < 0) return;
  control->is_short = false;
  if (!is_allowed(fd))
    control_answer(fd, 0, "refused: only root and the user that the server runs as may reload it");
  else if (!read_command(fd))
    control_answer(fd, 0, "refused: this server knows one command, reload");
  else
    control->on_reload(control->arg, fd);
}

static struct door *open_door(struct control *control, const struct sockaddr_un *address,
                              socklen_t len) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)address, len) != 0 || listen(fd, 16) != 0) {
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return NULL;
  }
  struct door *door = mem_zalloc(sizeof *door);
  *door = (struct door){.control = control, .address = *address, .fd = fd};
  uv_poll_init(control->loop, &door->poll, fd);
  door->poll.data = door;
  listen_at(door);
  return door;
}

static void on_closed(uv_handle_t *handle) {
  struct door *door = handle->data;
  close(door->fd);
  free(door);
}

static void close_door(struct door *door) {
  if (door == NULL) return;
  uv_poll_stop(&door->poll);
  uv_close((uv_handle_t *)&door->poll, on_closed);
}

static void have_folder_name(struct control *control) {
  struct sockaddr_un address;
  socklen_t len = control_address_of_folder(control->dir, &address);
  if (len == 0) return;
  struct door *before = control->by_folder;
  if (before != NULL && memcmp(&before->address, &address, sizeof address) == 0) return;
  close_door(before);
  control->by_folder = open_door(control, &address, len);
}

static void have_path_name(struct control *control) {
  struct sockaddr_un address;
  if (control->by_path != NULL) return;
  socklen_t len = control_address_of_path(control->dir, &address);
  control->by_path = open_door(control, &address, len);
  if (control->by_path == NULL && !control->is_unheard)
    log_warn("`tidegate reload` will not reach this server yet: %s",
             errno == EADDRINUSE ? "another one serves the same folder" : error_text(errno));
  if (control->by_path != NULL && control->is_unheard)
    log_info("`tidegate reload` reaches this server now");
  control->is_unheard = control->by_path == NULL;
}

// A server that is replaced by this one has the names until it has stopped.
static void have_names(struct control *control) {
  have_path_name(control);
  have_folder_name(control);
  if (control->by_path == NULL || control->by_folder == NULL)
    uv_timer_start(&control->retry, on_retry, NAME_MS, 0);
}

struct control *control_start(uv_loop_t *loop, const char *dir, control_fn *on_reload, void *arg) {
  struct control *control = mem_zalloc(sizeof *control);
  *control =
      (struct control){.loop = loop, .dir = scan_absolute(dir), .on_reload = on_reload, .arg = arg};
  spare_file_open(&control->spare);
  uv_timer_init(loop, &control->retry);
  control->retry.data = control;
  have_names(control);
  return control;
}

void control_follow(struct control *control) { have_names(control); }

static void on_retry_closed(uv_handle_t *handle) { free(handle->data); }

void control_stop(struct control *control) {
  close_door(control->by_folder);
  close_door(control->by_path);
  spare_file_close(&control->spare);
  free(control->dir);
  uv_close((uv_handle_t *)&control->retry, on_retry_closed);
}

void control_answer(int fd, int ok, const char *text) {
  char *line = mem_format("%s %s\n", ok ? "ok" : "failed", text);
  ssize_t ignored = send(fd, line, strlen(line), MSG_NOSIGNAL);
  (void)ignored;
  free(line);
  close(fd);
}

static int connect_to(const struct sockaddr_un *address, socklen_t len) {
  int fd = len > 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);  // for connect, too
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (fd < 0 || connect(fd, (const struct sockaddr *)address, len) == 0) return fd;
  close(fd);
  return -1;
}

// The server that was started with this path; else the one of the folder that is there. In
// this order: a new folder may have the number of one that is gone, and that its server has
// not missed yet.
static int connect_server(const char *dir) {
  struct sockaddr_un address;
  int fd = connect_to(&address, control_address_of_path(dir, &address));
  if (fd >= 0) return fd;
  socklen_t len = control_address_of_folder(dir, &address);
  if (len == 0) {
    fprintf(stderr, "tidegate: %s: %s\n", dir, error_text(errno));
    return -1;
  }
  fd = connect_to(&address, len);
  if (fd < 0) fprintf(stderr, "tidegate: no server serves %s\n", dir);
  return fd;
}

int control_reload(const char *dir) {
  int fd = connect_server(dir);
  if (fd < 0) return 1;
  ssize_t ignored = send(fd, command, sizeof command - 1, MSG_NOSIGNAL);
  (void)ignored;
  char answer[2048];
  size_t used = 0;
  ssize_t got;
  while (used < sizeof answer - 1 &&
         (got = recv(fd, answer + used, sizeof answer - 1 - used, 0)) > 0) {
    used += (size_t)got;
  }
  bool is_silent = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  answer[used] = '\0';
  close(fd);
  int ok = strncmp(answer, "ok ", 3) == 0;
  const char *text = strchr(answer, ' ');
  fprintf(ok ? stdout : stderr, "%s%s", ok ? "" : "tidegate: ",
          text != NULL ? text + 1
          : is_silent  ? "the server does not answer\n"
                       : "the server went away\n");
  return ok ? 0 : 1;
}
