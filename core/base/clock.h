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

#endif
