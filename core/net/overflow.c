// Too much output that nobody takes: see overflow.h.
#include "net/overflow.h"

#include "base/log.h"
#include "base/rarely.h"
#include "net/conn.h"

// What closes already gives its memory back by itself.
static size_t held_by(const struct conn *conn) {
  return conn->output != NULL && !conn_is_closing(conn) ? conn->output->held : 0;
}

static uint64_t sum_up(const struct worker *worker, size_t *largest) {
  uint64_t sum = 0;
  for (size_t i = 0; i < worker->conns.count; i++) {
    size_t held = held_by(worker->conns.items[i]);
    sum += held;
    if (held > *largest) *largest = held;
  }
  return sum;
}

// Returns what is still held.
static uint64_t cut_those_above(struct worker *worker, size_t least, uint64_t sum, uint64_t goal) {
  for (size_t i = 0; i < worker->conns.count && sum > goal; i++) {
    struct conn *conn = worker->conns.items[i];
    size_t held = held_by(conn);
    if (held <= least) continue;
    sum -= held;
    metric_add(&worker->stats->shed_readers, 1);
    conn_cut(conn);
  }
  return sum;
}

void overflow_shed(struct worker *worker) {
  static struct rarely warning;
  uint64_t most = worker->config->output_memory_bytes, goal = most - most / 4;
  size_t least = 0;
  uint64_t sum = sum_up(worker, &least);
  if (sum <= most) return;
  if (rarely_is_due(&warning, worker->now_ms))
    log_warn("clients leave more than output_memory unread: those that hold most are cut");
  // Nearly all have the same, or a few have nearly all: one or two rounds mostly.
  while (sum > goal && least > 0) {
    least /= 2;
    sum = cut_those_above(worker, least, sum, goal);
  }
}
