// Incremental UTF-8 validation (RFC 3629): no overlong forms, no surrogates,
// nothing over U+10FFFF. Fails at the first byte that cannot continue.
#ifndef TIDEGATE_BASE_UTF8_H
#define TIDEGATE_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

// Zero-initialised is the state between two characters.
struct utf8 {
  uint8_t need;  // continuation bytes still to come
  uint8_t low;   // bounds of the next continuation byte
  uint8_t high;
};

// Feeds bytes; false as soon as one cannot belong to valid UTF-8.
bool utf8_feed(struct utf8 *state, struct slice bytes);

// True when the input so far ends on a character boundary.
static inline bool utf8_is_complete(const struct utf8 *state) { return state->need == 0; }

// Validates a whole string.
static inline bool utf8_is_valid(struct slice bytes) {
  struct utf8 state = {0};
  return utf8_feed(&state, bytes) && utf8_is_complete(&state);
}

#endif
