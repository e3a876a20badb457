// Time. Deadlines use the monotonic clock; only people see the wall clock.
#ifndef TIDEGATE_BASE_CLOCK_H
#define TIDEGATE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ms(void);  // milliseconds since an arbitrary start
uint64_t clock_mono_ns(void);
// What makes the time of the monotonic clock that of the wall clock, as it is set now. Within
// microseconds, since the two are read one after the other.
int64_t clock_wall_offset_ns(void);
double clock_wall_s(void);  // seconds since 1970-01-01 UTC, with fraction

// ---- ticks -------------------------------------------------------------------

// The counter of the processor, where it has one that runs evenly: a few instructions. It is
// for shares of time, where nothing depends on a wrong one but who waits a little longer.
#if defined(__x86_64__)
static inline uint64_t clock_ticks(void) { return __builtin_ia32_rdtsc(); }
#elif defined(__aarch64__)
static inline uint64_t clock_ticks(void) {
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
}
#else
static inline uint64_t clock_ticks(void) { return clock_mono_ns(); }
#endif

// Measured by the first call, which takes a millisecond and must not run beside another.
uint64_t clock_ticks_per_ms(void);

#endif
