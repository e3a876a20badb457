// Clocks: see clock.h.
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void) { return read_ns(CLOCK_MONOTONIC); }

uint64_t clock_mono_ms(void) { return clock_mono_ns() / 1000000u; }

// A thread that is put aside between two readings takes them again.
int64_t clock_wall_offset_ns(void) {
  enum { TRIES = 5, CLOSE_NS = 2000 };
  uint64_t best = UINT64_MAX;
  int64_t offset = 0;
  for (int i = 0; i < TRIES && best > CLOSE_NS; i++) {
    uint64_t before = clock_mono_ns(), wall = read_ns(CLOCK_REALTIME);
    uint64_t took = clock_mono_ns() - before;
    if (took >= best) continue;
    best = took;
    offset = (int64_t)(wall - before - took / 2);
  }
  return offset;
}

double clock_wall_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// ---- ticks -------------------------------------------------------------------

enum {
  TRIES = 8,
  MEASURED_NS = 1000000,
  ROUNDS_MAX = 20000,    // where the clock stands still
  USUAL_RATE = 1000000,  // which is as good as any then
};

struct instant {
  uint64_t ns, ticks;
};

// Both at the same moment: the pair, of a few, between whose readings least time went by.
static struct instant read_both(void) {
  struct instant best = {0, 0};
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < TRIES; i++) {
    uint64_t before = clock_ticks(), ns = clock_mono_ns(), took = clock_ticks() - before;
    if (took >= least) continue;
    least = took;
    best = (struct instant){ns, before};
  }
  return best;
}

uint64_t clock_ticks_per_ms(void) {
  static uint64_t rate;
  if (rate > 0) return rate;
  struct instant begin = read_both(), end = begin;
  for (int i = 0; i < ROUNDS_MAX && end.ns - begin.ns < MEASURED_NS; i++) end = read_both();
  uint64_t ns = end.ns - begin.ns;
  rate = ns > 0 ? (end.ticks - begin.ticks) * 1000000u / ns : USUAL_RATE;
  if (rate == 0) rate = 1;
  return rate;
}
