// Seeded random numbers for tests: the same every run, so a failure repeats.
#ifndef TIDEGATE_TESTS_RANDOM_H
#define TIDEGATE_TESTS_RANDOM_H

#include <stdint.h>

struct random {
  uint64_t state;  // not 0
};

// xorshift64* (Vigna, 2014)
static inline uint64_t random_next(struct random *r) {
  r->state ^= r->state >> 12;
  r->state ^= r->state << 25;
  r->state ^= r->state >> 27;
  return r->state * 0x2545F4914F6CDD1Du;
}

// 0 to bound - 1.
static inline uint64_t random_below(struct random *r, uint64_t bound) {
  return (random_next(r) >> 11) % bound;
}

#endif
