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

#endif
