// Latencies in a table of counters: 64 steps per doubling, so a percentile is
// within 1.6 % of the truth, and adding costs a few nanoseconds.
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 64 * HISTOGRAM_STEPS };

struct histogram {
  uint64_t counts[HISTOGRAM_BUCKETS];
  uint64_t total;
  uint64_t max;
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
// The value that `fraction` (0 to 1) of all values do not exceed; 0 when empty.
uint64_t histogram_percentile(const struct histogram *h, double fraction);

#endif
