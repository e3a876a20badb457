// The table of counters: see stats.h.
#include "net/stats.h"

#define ROW(name) \
  { #name, offsetof(struct stats, name) }

const struct stats_row stats_rows[] = {
    ROW(connections),  ROW(websockets), ROW(streams),      ROW(accepted),
    ROW(refused),      ROW(requests),   ROW(bad_requests), ROW(slow_requests),
    ROW(slow_readers), ROW(lost_peers), ROW(messages_in),  ROW(sends_full),
};
const size_t stats_row_count = sizeof stats_rows / sizeof *stats_rows;

long long stats_read(const struct stats *stats, const struct stats_row *row) {
  const atomic_llong *counter =
      (const atomic_llong *)(const void *)((const char *)stats + row->offset);
  return atomic_load_explicit(counter, memory_order_relaxed);
}
