// Refused connections: see refusal.h.
#include "net/refusal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/sock.h"
#include "net/worker.h"

struct refusal {
  struct wheel_timer timer;  // set while fd is open
  int fd;
};

struct refusals {
  struct refusal held[REFUSALS_MAX];
  unsigned next;
};

static void close_refused(struct wheel_timer *timer) {
  wheel_cancel(timer);
  close(list_entry(timer, struct refusal, timer)->fd);
}

struct refusals *refusals_new(void) {
  struct refusals *refusals = mem_zalloc(sizeof *refusals);
  for (int i = 0; i < REFUSALS_MAX; i++) wheel_timer_init(&refusals->held[i].timer, close_refused);
  return refusals;
}

void refusals_free(struct refusals *refusals) {
  if (refusals == NULL) return;
  for (int i = 0; i < REFUSALS_MAX; i++) {
    struct wheel_timer *timer = &refusals->held[i].timer;
    if (wheel_timer_is_set(timer)) close_refused(timer);
  }
  free(refusals);
}

void refusals_add(struct worker *worker, int fd) {
  struct buf answer = {0};
  // Nobody has read the request: it may be one whose answer has no content.
  http_write_refusal(&answer, 503, worker_date(worker), NULL, true);
  // Best effort: the socket of a new connection has room for these bytes.
  ssize_t ignored = send(fd, answer.data, answer.end, MSG_NOSIGNAL);
  (void)ignored;
  buf_free(&answer);
  shutdown(fd, SHUT_WR);
  metric_add(&worker->stats->refused, 1);
  struct refusals *refusals = worker->refusals;
  struct refusal *refusal = &refusals->held[refusals->next++ % REFUSALS_MAX];
  if (wheel_timer_is_set(&refusal->timer)) close_refused(&refusal->timer);
  refusal->fd = fd;
  worker_set_timer(worker, &refusal->timer, SOCK_LINGER_MS);
}
