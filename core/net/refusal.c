// Refused connections: see refusal.h.
#include "net/refusal.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/worker.h"

static void close_refused(struct wheel_timer *timer) {
  wheel_cancel(timer);
  close(list_entry(timer, struct refusal, timer)->fd);
}

void refusals_init(struct refusals *refusals) {
  for (int i = 0; i < REFUSALS_MAX; i++) wheel_timer_init(&refusals->held[i].timer, close_refused);
}

void refusals_free(struct refusals *refusals) {
  for (int i = 0; i < REFUSALS_MAX; i++) {
    struct wheel_timer *timer = &refusals->held[i].timer;
    if (wheel_timer_is_set(timer)) close_refused(timer);
  }
}

void refusals_add(struct worker *worker, int fd) {
  // Best effort: the socket of a new connection has room for these bytes.
  static const char answer[] =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: "
      "1\r\nContent-Length: 0\r\n\r\n";
  ssize_t ignored = send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
  (void)ignored;
  shutdown(fd, SHUT_WR);
  stats_add(&worker->stats->refused, 1);
  struct refusals *refusals = &worker->refusals;
  struct refusal *refusal = &refusals->held[refusals->next++ % REFUSALS_MAX];
  if (wheel_timer_is_set(&refusal->timer)) close_refused(&refusal->timer);
  refusal->fd = fd;
  worker_set_timer(worker, &refusal->timer, CONN_LINGER_MS);
}
