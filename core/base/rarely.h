// What is logged at most once a minute by each place in the source, however often it happens
// and on however many threads.
#ifndef TIDEGATE_BASE_RARELY_H
#define TIDEGATE_BASE_RARELY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RARELY_MS = 60000 };

// Static and zero at first.
struct rarely {
  atomic_ullong next_ms;  // monotonic; 0: it never happened
};

// Whether it is to be logged now. One thread at most gets true for each minute.
bool rarely_is_due(struct rarely *rarely, uint64_t now_ms);

#endif
