// What fuzz drivers share. A driver is one file <name>_fuzz.c with
// LLVMFuzzerTestOneInput; it says what must be true with cmocka's asserts, as unit
// tests do, so that both can share helpers. In a driver they print and abort.
#ifndef TIDEGATE_FUZZ_H
#define TIDEGATE_FUZZ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "base/slice.h"

// Ends a field of an input that has several. It can stand in no UTF-8 text.
enum { FUZZ_FIELD_END = 0xFE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct slice fuzz_input(const uint8_t *data, size_t size) {
  return slice_of((const char *)data, size);
}

// The first byte of the input, taken off it; 0 at the end.
uint8_t fuzz_take_byte(struct slice *in);

// The bytes up to FUZZ_FIELD_END or the end, taken off the input with it. A copy
// in memory of its exact size, so that a sanitizer sees a read beyond it; freed
// by fuzz_release, all at once.
struct slice fuzz_take_field(struct slice *in);
void fuzz_release(void);

// How an input is cut into pieces: not at all for `most` 0, otherwise into random
// lengths of up to `most` bytes.
struct fuzz_cut {
  size_t most;
  struct random random;
};

static inline struct fuzz_cut fuzz_cut(size_t most) { return (struct fuzz_cut){most, {most + 1}}; }

// The next piece, taken off the input.
struct slice fuzz_take_piece(struct fuzz_cut *cut, struct slice *in);

void fuzz_expect_slice(struct slice got, struct slice expected, const char *what);

#endif
