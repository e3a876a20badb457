// A log-linear histogram: see histogram.h.
#include "load/histogram.h"

#include <string.h>

static unsigned bucket_of(uint64_t value) {
  if (value < HISTOGRAM_STEPS) return (unsigned)value;
  unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 6;  // 2^6 steps
  return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((value >> shift) - HISTOGRAM_STEPS);
}

static uint64_t upper_end_of(unsigned bucket) {
  if (bucket < HISTOGRAM_STEPS) return bucket;
  unsigned shift = bucket / HISTOGRAM_STEPS - 1;
  return ((uint64_t)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_clear(struct histogram *h) { memset(h, 0, sizeof *h); }

void histogram_add(struct histogram *h, uint64_t value) {
  h->counts[bucket_of(value)]++;
  h->total++;
  if (value > h->max) h->max = value;
}

uint64_t histogram_percentile(const struct histogram *h, double fraction) {
  uint64_t wanted = (uint64_t)((double)h->total * fraction), seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += h->counts[i];
    if (seen > wanted || (seen == h->total && seen > 0)) {
      return upper_end_of(i) < h->max ? upper_end_of(i) : h->max;
    }
  }
  return 0;
}
