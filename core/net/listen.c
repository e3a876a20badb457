// Listeners: see listen.h.
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/address.h"
#include "net/unix_file.h"
#include "net/worker.h"

enum {
  BACKLOG = 4096,
  ACCEPTS_PER_WAKE = 64,
  RETRY_MS = 100,
  NOTE_PAUSE_MS = 10000,
  CLAIM_TRIES = 5,
  CLAIM_PAUSE_NS = 8000000,
};

static char *cannot_listen(const char *address, int error) {
  return mem_format("cannot listen on %s: %s", address, error_text(error));
}

// ---- TCP -------------------------------------------------------------------

struct tcp_place {
  struct sockaddr_storage where;
  socklen_t len;
  unsigned unacked_ms;
};

// A socket with all options, or -errno.
static int open_socket(const struct tcp_place *place, bool shares_port) {
  int fd = socket(place->where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shares_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // Accepted sockets inherit it; output is batched per turn, so Nagle only delays.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // They also inherit this: a peer that is gone takes next to nothing, so its
  // socket need not fill; a heartbeat or comment without an answer shows it.
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &place->unacked_ms, sizeof place->unacked_ms);
  if (place->where.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return fd;
}

// A listening socket, or -errno.
static int try_listen(const struct tcp_place *place, bool shares_port) {
  int fd = open_socket(place, shares_port);
  if (fd < 0) return fd;
  if (bind(fd, (const struct sockaddr *)&place->where, place->len) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  int failure = -errno;
  close(fd);
  return failure;
}

static void pause_at_random(void) {
  uint32_t random;
  rand_bytes(&random, sizeof random);
  struct timespec pause = {.tv_nsec = (long)(random % CLAIM_PAUSE_NS)};
  nanosleep(&pause, NULL);
}

// When two servers call listen(2) at the same moment, the kernel may refuse both.
static int listen_tcp(const struct tcp_place *place, bool shares_port) {
  int fd = try_listen(place, shares_port);
  for (int i = 1; fd == -EADDRINUSE && i < CLAIM_TRIES; i++) {
    pause_at_random();
    fd = try_listen(place, shares_port);
  }
  return fd;
}

// The first socket is bound and listens without SO_REUSEPORT, which the kernel allows to one
// socket alone: so no two servers have a port, though they are of one user and start at once.
// It takes the option up later, for the others; whoever wants the port then begins without
// the option, and so is refused. It also picks the port where that is 0.
static int claim_tcp(struct tcp_place *place) {
  int fd = listen_tcp(place, false);
  if (fd < 0) return fd;
  int on = 1;
  place->len = sizeof place->where;
  if (getsockname(fd, (struct sockaddr *)&place->where, &place->len) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0)
    return fd;
  int failure = -errno;
  close(fd);
  return failure;
}

static char *open_tcp(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                      struct listen_place *opened) {
  struct tcp_place place = {.unacked_ms = unacked_ms};
  char *error = address_resolve(address, &place.where, &place.len);
  if (error != NULL) return error;
  for (size_t i = 0; i < count; i++) {
    int fd = i == 0 ? claim_tcp(&place) : listen_tcp(&place, true);
    if (fd < 0) {
      while (i > 0) close(out[--i].fd);
      return cannot_listen(address, -fd);
    }
    out[i] = (struct listener){.fd = fd};
  }
  opened->name = address_name(&place.where);
  return NULL;
}

// ---- unix sockets ------------------------------------------------------------

static char *open_unix(const char *address, struct listener *out, size_t count,
                       struct listen_place *opened) {
  const char *path = address_unix_path(address);
  int fd = unix_file_listen(path, BACKLOG, &opened->file);
  if (fd < 0) return cannot_listen(address, -fd);
  out[0] = (struct listener){.fd = fd};
  for (size_t i = 1; i < count; i++) {
    out[i] = (struct listener){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (out[i].fd >= 0) continue;
    char *error = cannot_listen(address, errno);
    while (i > 0) close(out[--i].fd);
    unix_file_remove(path, opened->file);
    return error;
  }
  opened->path = mem_strdup(path);
  opened->name = mem_strdup(address);
  return NULL;
}

char *listen_open(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                  struct listen_place *opened) {
  *opened = (struct listen_place){.file = -1};
  char *error = address_check(address);
  if (error != NULL) return error;
  return address_unix_path(address) != NULL ? open_unix(address, out, count, opened)
                                            : open_tcp(address, out, count, unacked_ms, opened);
}

void listen_close(struct listen_place *place) {
  if (place->path != NULL) unix_file_remove(place->path, place->file);
  free(place->path);
  free(place->name);
  *place = (struct listen_place){.file = -1};
}

// ---- accepting -----------------------------------------------------------

static void poll_start(struct listener *listener) {
  poll_add(&listener->worker->poll, listener->fd, EPOLLIN, &listener->watch);
}

static void poll_stop(struct listener *listener) {
  poll_remove(&listener->worker->poll, listener->fd);
}

static void on_retry(struct wheel_timer *timer) {
  poll_start(list_entry(timer, struct listener, retry));
}

// Both ends of a shortage are logged, but no second one soon after: an attack may bring many.
static void note_shortage(struct listener *listener, const char *why) {
  uint64_t now_ms = listener->worker->now_ms;
  if (listener->is_short || now_ms < listener->next_note_ms) return;
  log_warn("new connections wait for file descriptors or memory: %s", why);
  listener->is_short = true;
  listener->next_note_ms = now_ms + NOTE_PAUSE_MS;
}

static void note_accepting(struct listener *listener) {
  if (listener->is_short) log_info("new connections are accepted again");
  listener->is_short = false;
}

// The waiting connection keeps the socket readable, so polling on would spin.
static void pause_accepting(struct listener *listener, const char *why) {
  note_shortage(listener, why);
  metric_add(&listener->worker->stats->accept_pauses, 1);
  poll_stop(listener);
  worker_set_timer(listener->worker, &listener->retry, RETRY_MS);
}

// The descriptors beyond are for reloads, `tidegate reload`, and what scripts open.
static bool has_file_to_spare(const struct worker *worker) {
  return metric_get(&worker->stats->connections) < worker->sockets_max;
}

// False when there is nobody to accept, or no way to.
static bool accept_one(struct listener *listener) {
  struct worker *worker = listener->worker;
  if (!has_file_to_spare(worker)) {
    pause_accepting(listener, "the open file limit has no room for more (ulimit -Hn, LimitNOFILE)");
    return false;
  }
  int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    listener->accepted(worker, fd);
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
    pause_accepting(listener, error_text(errno));
  else
    note_accepting(listener);  // nobody waits any more
  return false;
}

static void on_readable(struct poll_watch *watch, uint32_t events) {
  struct listener *listener = list_entry(watch, struct listener, watch);
  (void)events;
  if (!listener->is_open) return;
  for (int i = 0; i < ACCEPTS_PER_WAKE && accept_one(listener); i++) continue;
}

void listener_start(struct listener *listener, struct worker *worker, listener_accepted *accepted) {
  listener->worker = worker;
  listener->accepted = accepted;
  listener->watch.ready = on_readable;
  listener->is_open = true;
  wheel_timer_init(&listener->retry, on_retry);
  poll_start(listener);
}

void listener_stop(struct listener *listener) {
  if (listener->is_open) {
    wheel_cancel(&listener->retry);
    poll_stop(listener);
  }
  listener->is_open = false;
  if (listener->fd >= 0) close(listener->fd);
  listener->fd = -1;
}
