// Too much output that nobody takes: see overflow.h.
#include "net/overflow.h"

#include "base/log.h"
#include "base/rarely.h"
#include "net/conn.h"

static size_t held_by(const struct conn *conn) {
  return conn->output != NULL ? conn->output->held : 0;
}

static size_t find_largest(const struct worker *worker) {
  size_t largest = 0;
  for (size_t i = 0; i < worker->conns.count; i++) {
    size_t held = held_by(worker->conns.items[i]);
    if (held > largest) largest = held;
  }
  return largest;
}

static void cut_those_above(struct worker *worker, size_t least, uint64_t goal) {
  for (size_t i = 0; i < worker->conns.count && worker->output_bytes > goal; i++) {
    struct conn *conn = worker->conns.items[i];
    if (held_by(conn) <= least) continue;
    metric_add(&worker->stats->shed_readers, 1);
    conn_cut(conn);
  }
}

void overflow_shed(struct worker *worker) {
  static struct rarely warning;
  uint64_t most = worker->config->output_memory_bytes, goal = most - most / 4;
  if (rarely_is_due(&warning, worker->now_ms))
    log_warn("clients leave more than output_memory unread: those that hold most are cut");
  // Nearly all have the same, or a few have nearly all: one or two rounds mostly.
  for (size_t least = find_largest(worker); worker->output_bytes > goal && least > 0;) {
    least /= 2;
    cut_those_above(worker, least, goal);
  }
}
