// Kernel randomness: see rand.h.
#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *ptr, size_t bytes) {
  char *out = ptr;
  while (bytes > 0) {
    ssize_t got = getrandom(out, bytes, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      perror("tidegate: getrandom");
      abort();
    }
    out += got;
    bytes -= (size_t)got;
  }
}
