// Listeners: see listen.h.
#include "net/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include "net/worker.h"

enum { BACKLOG = 4096, ACCEPTS_PER_WAKE = 64, RETRY_MS = 100, HOST_BYTES = 256 };

// ---- addresses -----------------------------------------------------------

// Splits "host:port" or "[host]:port"; false when it is neither.
static bool split_host_port(const char *address, char *host, size_t host_size, const char **port) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL || colon == address || colon[1] == '\0') return false;
  const char *start = address;
  const char *end = colon;
  if (*start == '[') {
    if (end[-1] != ']') return false;
    start++;
    end--;
  } else if (memchr(start, ':', (size_t)(end - start)) != NULL) {
    return false;  // an IPv6 address must stand in brackets
  }
  size_t len = (size_t)(end - start);
  if (len == 0 || len >= host_size) return false;
  memcpy(host, start, len);
  host[len] = '\0';
  *port = colon + 1;
  return true;
}

static bool is_unix(const char *address) { return strncmp(address, "unix:", 5) == 0; }

static char *check_unix(const char *address) {
  const char *path = address + 5;
  enum { PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path };
  if (*path != '\0' && strlen(path) < PATH_SIZE) return NULL;
  return mem_format("\"%s\": the path must have 1 to %d bytes", address, PATH_SIZE - 1);
}

static char *unknown_form(const char *address) {
  return mem_format("\"%s\" is not HOST:PORT, [IPv6]:PORT or unix:PATH", address);
}

static char *check_tcp(const char *address) {
  char host[HOST_BYTES];
  const char *port;
  if (!split_host_port(address, host, sizeof host, &port)) return unknown_form(address);
  char *end;
  long number = strtol(port, &end, 10);
  if (*end != '\0' || number < 0 || number > 65535) {
    return mem_format("\"%s\": the port is not a number from 0 to 65535", address);
  }
  return NULL;
}

char *listen_check(const char *address) {
  if (is_unix(address)) return check_unix(address);
  if (strncmp(address, "tls://", 6) == 0) {
    return mem_format("\"%s\": TLS is not there yet; put a proxy in front", address);
  }
  return check_tcp(address);
}

static char *resolve(const char *address, struct sockaddr_storage *out, socklen_t *out_len) {
  char host[HOST_BYTES];
  const char *port;
  if (!split_host_port(address, host, sizeof host, &port)) return unknown_form(address);
  struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  struct addrinfo *found;
  int failure = getaddrinfo(host, port, &hints, &found);
  if (failure != 0) return mem_format("\"%s\": %s", address, gai_strerror(failure));
  memcpy(out, found->ai_addr, found->ai_addrlen);
  *out_len = found->ai_addrlen;
  freeaddrinfo(found);
  return NULL;
}

static char *format_tcp_name(const struct sockaddr_storage *bound) {
  char host[64] = "";
  char port[8] = "";
  socklen_t len =
      bound->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  getnameinfo((const struct sockaddr *)bound, len, host, sizeof host, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  return mem_format(bound->ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

// ---- sockets -------------------------------------------------------------

// A bound (and, unless it only probes, listening) socket, or -errno.
static int bind_tcp(const struct sockaddr_storage *address, socklen_t len, bool shares_port,
                    unsigned unacked_ms) {
  int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shares_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // Accepted sockets inherit it; output is batched per turn, so Nagle only delays.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // They also inherit this: a peer that is gone takes next to nothing, so its
  // socket need not fill; a heartbeat or comment without an answer shows it.
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
  if (address->ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, (const struct sockaddr *)address, len) != 0 ||
      (shares_port && listen(fd, BACKLOG) != 0)) {
    int failure = -errno;
    close(fd);
    return failure;
  }
  return fd;
}

static char *open_tcp(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                      char **name) {
  struct sockaddr_storage where = {0};
  socklen_t len = 0;
  char *error = resolve(address, &where, &len);
  if (error != NULL) return error;

  // A first socket without SO_REUSEPORT finds out whether anybody, also
  // another server of the same user, has the port; it also picks port 0.
  int probe = bind_tcp(&where, len, false, unacked_ms);
  if (probe < 0) return mem_format("cannot listen on %s: %s", address, error_text(-probe));
  getsockname(probe, (struct sockaddr *)&where, &len);
  close(probe);

  for (size_t i = 0; i < count; i++) {
    int fd = bind_tcp(&where, len, true, unacked_ms);
    if (fd < 0) {
      while (i > 0) close(out[--i].fd);
      return mem_format("cannot listen on %s: %s", address, error_text(-fd));
    }
    out[i] = (struct listener){.fd = fd};
  }
  *name = format_tcp_name(&where);
  return NULL;
}

// Removes a socket file that no process listens on any more.
static bool unix_path_is_free(const struct sockaddr_un *where) {
  struct stat info;
  if (lstat(where->sun_path, &info) != 0) return true;
  if (!S_ISSOCK(info.st_mode)) return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool is_dead =
      connect(fd, (const struct sockaddr *)where, sizeof *where) != 0 && errno == ECONNREFUSED;
  close(fd);
  if (is_dead) unlink(where->sun_path);
  return is_dead;
}

static char *open_unix(const char *address, struct listener *out, size_t count, char **name) {
  const char *path = address + 5;
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
  if (!unix_path_is_free(&where))
    return mem_format("cannot listen on %s: %s", address, error_text(EADDRINUSE));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof where) != 0 ||
      listen(fd, BACKLOG) != 0) {
    char *error = mem_format("cannot listen on %s: %s", address, error_text(errno));
    if (fd >= 0) close(fd);
    return error;
  }
  for (size_t i = 0; i < count; i++) out[i] = (struct listener){.fd = i == 0 ? fd : dup(fd)};
  *name = mem_strdup(address);
  return NULL;
}

char *listen_open(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                  char **name) {
  char *error = listen_check(address);
  if (error != NULL) return error;
  return is_unix(address) ? open_unix(address, out, count, name)
                          : open_tcp(address, out, count, unacked_ms, name);
}

void listen_unlink(const char *address) {
  if (is_unix(address)) unlink(address + 5);
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

// The waiting connection keeps the socket readable, so polling on would spin.
static void pause_accepting(struct listener *listener) {
  if (!listener->is_short)
    log_warn("new connections wait for file descriptors or memory: %s", error_text(errno));
  listener->is_short = true;
  poll_stop(listener);
  worker_set_timer(listener->worker, &listener->retry, RETRY_MS);
}

static void on_readable(struct poll_watch *watch, uint32_t events) {
  struct listener *listener = list_entry(watch, struct listener, watch);
  (void)events;
  if (!listener->is_open) return;
  for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      listener->accepted(listener->worker, fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      pause_accepting(listener);
    } else if (listener->is_short) {  // nobody waits any more
      listener->is_short = false;
      log_info("new connections are accepted again");
    }
    return;
  }
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
  if (!listener->is_open) return;
  listener->is_open = false;
  wheel_cancel(&listener->retry);
  poll_stop(listener);
  close(listener->fd);
}
