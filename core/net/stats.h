// Process-wide counters. One row per counter in stats.c; scripts and (later)
// metrics read the table.
#ifndef TIDEGATE_NET_STATS_H
#define TIDEGATE_NET_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct stats {
  atomic_llong connections;    // open now
  atomic_llong websockets;     // sessions open now
  atomic_llong streams;        // sessions open now
  atomic_llong accepted;       // connections since start
  atomic_llong refused;        // connections over the limit
  atomic_llong requests;       // request heads since start
  atomic_llong bad_requests;   // refused by the parser
  atomic_llong slow_requests;  // heads and bodies that were not there in time
  atomic_llong slow_readers;   // connections cut because the peer took nothing for write_timeout
  atomic_llong lost_peers;     // WebSockets that left two heartbeats unanswered
  atomic_llong messages_in;    // WebSocket messages received
  atomic_llong sends_full;     // direct sends refused because the queue was full
};

struct stats_row {
  const char *name;
  size_t offset;
};

extern const struct stats_row stats_rows[];
extern const size_t stats_row_count;

static inline void stats_add(atomic_llong *counter, long long n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

long long stats_read(const struct stats *stats, const struct stats_row *row);

#endif
