// Time in the hands of a test: these take the place of base/clock.c, which is then not
// linked. It stands still until the test moves it.
#ifndef TIDEGATE_TESTS_FAKE_CLOCK_H
#define TIDEGATE_TESTS_FAKE_CLOCK_H

#include "base/clock.h"

static uint64_t fake_clock_ms = 1000000;

uint64_t clock_mono_ms(void) { return fake_clock_ms; }
uint64_t clock_mono_ns(void) { return fake_clock_ms * 1000000u; }
int64_t clock_wall_offset_ns(void) { return 0; }
double clock_wall_s(void) { return 1700000000 + (double)fake_clock_ms / 1000; }
// Ticks are those of the processor, which no test can move. So a share of a turn lasts as good
// as for ever, unless turn_time is 0: then it is over as soon as a task has ended.
uint64_t clock_ticks_per_ms(void) { return (uint64_t)1 << 40; }

#endif
