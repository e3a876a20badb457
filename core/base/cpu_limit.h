// An end of the process by the processor time that it takes: for what must not take long before
// the server runs, and that nothing else can end.
#ifndef TIDEGATE_BASE_CPU_LIMIT_H
#define TIDEGATE_BASE_CPU_LIMIT_H

#include <stdint.h>

// When the process has taken so much more, writes the line (borrowed, with its newline) to
// stderr and ends with status 1. All threads count.
void cpu_limit_start(uint64_t ms, const char *line);
void cpu_limit_stop(void);

#endif
