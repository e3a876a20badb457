// Random bytes from the kernel, for ids, epochs and hash seeds.
#ifndef TIDEGATE_BASE_RAND_H
#define TIDEGATE_BASE_RAND_H

#include <stddef.h>

// Fills ptr with cryptographically strong random bytes; aborts if the kernel
// cannot give any.
void rand_bytes(void *ptr, size_t bytes);

#endif
