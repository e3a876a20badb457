// What fuzz drivers share: see fuzz.h.
#include "fuzz.h"

#include <stdio.h>

#include "base/mem.h"

enum { FIELDS_MAX = 16 };

static void *fields[FIELDS_MAX];
static size_t field_count;

uint8_t fuzz_take_byte(struct slice *in) {
  if (in->len == 0) return 0;
  in->len--;
  return (uint8_t)*in->ptr++;
}

struct slice fuzz_take_field(struct slice *in) {
  const char *end = in->len > 0 ? memchr(in->ptr, FUZZ_FIELD_END, in->len) : NULL;
  size_t len = end != NULL ? (size_t)(end - in->ptr) : in->len;
  size_t taken = end != NULL ? len + 1 : len;
  assert_true(field_count < FIELDS_MAX);
  char *copy = mem_alloc(len);
  memcpy(copy, in->ptr, len);
  fields[field_count++] = copy;
  *in = slice_of(in->ptr + taken, in->len - taken);
  return slice_of(copy, len);
}

void fuzz_release(void) {
  while (field_count > 0) free(fields[--field_count]);
}

struct slice fuzz_take_piece(struct fuzz_cut *cut, struct slice *in) {
  size_t size = cut->most == 0 ? in->len : 1 + random_below(&cut->random, cut->most);
  struct slice piece = slice_of(in->ptr, size < in->len ? size : in->len);
  *in = slice_of(in->ptr + piece.len, in->len - piece.len);
  return piece;
}

static void print_slice(const char *name, struct slice text) {
  fprintf(stderr, "%s (%zu bytes): ", name, text.len);
  for (size_t i = 0; i < text.len && i < 400; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    fprintf(stderr, c >= ' ' && c < 0x7F && c != '\\' ? "%c" : "\\x%02x", c);
  }
  fputc('\n', stderr);
}

void fuzz_expect_slice(struct slice got, struct slice expected, const char *what) {
  if (slice_equal(got, expected)) return;
  print_slice("got", got);
  print_slice("expected", expected);
  fail_msg("%s", what);
}

// ---- cmocka's asserts, without its runner --------------------------------

void print_error(const char *const format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
}

void _fail(const char *const file, const int line) {
  fprintf(stderr, "%s:%d: a property does not hold\n", file, line);
  abort();
}

void _assert_true(const LargestIntegralType result, const char *const expression,
                  const char *const file, const int line) {
  if (result != 0) return;
  print_error("%s\n", expression);
  _fail(file, line);
}

void _assert_int_equal(const LargestIntegralType a, const LargestIntegralType b,
                       const char *const file, const int line) {
  if (a == b) return;
  print_error("%#llx is not %#llx\n", (unsigned long long)a, (unsigned long long)b);
  _fail(file, line);
}

void _assert_in_range(const LargestIntegralType value, const LargestIntegralType minimum,
                      const LargestIntegralType maximum, const char *const file, const int line) {
  if (value >= minimum && value <= maximum) return;
  print_error("%llu is not within %llu-%llu\n", (unsigned long long)value,
              (unsigned long long)minimum, (unsigned long long)maximum);
  _fail(file, line);
}
