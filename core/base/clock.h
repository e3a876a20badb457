// Time. Deadlines use the monotonic clock; only people see the wall clock.
#ifndef TIDEGATE_BASE_CLOCK_H
#define TIDEGATE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ms(void);  // milliseconds since an arbitrary start
uint64_t clock_mono_ns(void);
double clock_wall_s(void);  // seconds since 1970-01-01 UTC, with fraction

#endif
