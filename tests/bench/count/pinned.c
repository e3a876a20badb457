// What would make counts differ from run to run, held still: random bytes,
// which seed hash maps and ids, and time, which seeds Lua's string hashes and
// moves timers. Linked into bench_count in the place of base/rand.c and libc's.
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/rand.h"

enum { NOW_S = 1700000000 };

void rand_bytes(void *ptr, size_t bytes) {
  static uint64_t state = 0x9E3779B97F4A7C15u;
  unsigned char *out = ptr;
  for (size_t i = 0; i < bytes; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    out[i] = (unsigned char)(state >> 32);
  }
}

// The shared libraries call these, too: the linker exports what they refer to.
time_t time(time_t *out) {
  if (out != NULL) *out = NOW_S;
  return NOW_S;
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  (void)clock;
  *out = (struct timespec){.tv_sec = NOW_S};
  return 0;
}
