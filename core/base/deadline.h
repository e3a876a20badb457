// The time by which the process ends, whatever its other threads do: a thread of its own waits
// for it. One at a time.
#ifndef TIDEGATE_BASE_DEADLINE_H
#define TIDEGATE_BASE_DEADLINE_H

#include <stdint.h>

// Unless deadline_stop is called before `ms` have passed, calls report(arg) in its thread, and
// ends the process with status 1.
void deadline_start(uint64_t ms, void (*report)(void *arg), void *arg);
// Nothing when none was started.
void deadline_stop(void);

#endif
