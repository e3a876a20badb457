// What a server takes from the machine, as the kernel counts it: a process and
// all processes below it.
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

// CPU time of all threads in nanoseconds. 0 when the process is gone.
uint64_t usage_cpu_ns(pid_t pid);

struct usage_memory {
  uint64_t rss_bytes;
  uint64_t private_bytes;  // pages that no other process shares
};
struct usage_memory usage_memory(pid_t pid);

#endif
