// Buffers: appending, consuming and growing never change the bytes between.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "random.h"

static void assert_holds(const struct buf *b, const char *text) {
  assert_int_equal(buf_len(b), strlen(text));
  assert_memory_equal(buf_slice(b).ptr, text, strlen(text));
}

static void test_zero_is_empty(void **state) {
  (void)state;
  struct buf b = {0};
  assert_int_equal(buf_len(&b), 0);
  buf_append(&b, NULL, 0);
  assert_null(b.data);
  buf_free(&b);
}

static void test_appends_in_order(void **state) {
  (void)state;
  struct buf b = {0};
  buf_append(&b, "abc", 3);
  buf_append_char(&b, 'd');
  buf_append_str(&b, "ef");
  buf_append_slice(&b, slice_of("ghi", 2));
  buf_printf(&b, "-%d-%s", 42, "x");
  buf_printf(&b, "%s", "");
  assert_holds(&b, "abcdefgh-42-x");
  buf_free(&b);
  assert_int_equal(buf_len(&b), 0);
  buf_append_str(&b, "again");
  assert_holds(&b, "again");
  buf_free(&b);
}

static void test_printf_longer_than_its_room(void **state) {
  (void)state;
  struct buf b = {0};
  char text[5001];
  memset(text, 'z', 5000);
  text[5000] = '\0';
  buf_append_str(&b, "head ");
  buf_printf(&b, "%s", text);
  assert_int_equal(buf_len(&b), 5005);
  assert_memory_equal(b.data + 5, text, 5000);
  buf_free(&b);
}

static void test_decimal_writes_what_printf_does(void **state) {
  (void)state;
  static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX - 1, UINT64_MAX};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    struct buf ours = {0}, expected = {0};
    buf_append_decimal(&ours, values[i]);
    buf_printf(&expected, "%llu", (unsigned long long)values[i]);
    assert_int_equal(buf_len(&ours), buf_len(&expected));
    assert_memory_equal(ours.data, expected.data, buf_len(&expected));
    buf_free(&ours);
    buf_free(&expected);
  }
}

static void test_consuming_all_starts_over(void **state) {
  (void)state;
  struct buf b = {0};
  buf_append_str(&b, "0123456789");
  buf_consume(&b, 4);
  assert_holds(&b, "456789");
  buf_consume(&b, 6);
  assert_int_equal(b.start, 0);
  assert_int_equal(b.end, 0);
  buf_append_str(&b, "x");
  buf_clear(&b);
  assert_int_equal(buf_len(&b), 0);
  buf_free(&b);
}

static void test_reserve_gives_what_it_says(void **state) {
  (void)state;
  struct buf b = {0};
  assert_non_null(buf_reserve(&b, 0));
  for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
    char *room = buf_reserve(&b, bytes);
    assert_ptr_equal(room, b.data + b.end);
    assert_true(b.cap - b.end >= bytes);
    memset(room, 'r', bytes);
    buf_grew(&b, bytes);
  }
  buf_free(&b);
}

static void test_chop_drops_the_end(void **state) {
  (void)state;
  struct buf b = {0};
  buf_append_str(&b, "front, end");
  buf_consume(&b, 5);
  buf_chop(&b, 3);
  buf_append_str(&b, "other");
  assert_true(slice_equal(buf_slice(&b), slice_str(", other")));
  buf_chop(&b, buf_len(&b));
  assert_int_equal(buf_len(&b), 0);
  buf_chop(&b, 0);
  buf_append_str(&b, "new");
  assert_true(slice_equal(buf_slice(&b), slice_str("new")));
  buf_free(&b);
}

// A queue that is fed and drained for ever must not grow for ever.
static void test_steady_queue_stays_small(void **state) {
  (void)state;
  struct buf b = {0};
  buf_append_str(&b, "some bytes that stay");
  for (int i = 0; i < 100000; i++) {
    buf_append_str(&b, "0123456789");
    buf_consume(&b, 10);
  }
  assert_int_equal(buf_len(&b), 20);
  assert_true(b.cap <= 256);
  buf_free(&b);
}

// Against a model: the bytes are the numbers written minus the numbers read.
static void test_random_against_model(void **state) {
  (void)state;
  struct random r = {7};
  struct buf b = {0};
  uint64_t written = 0, consumed = 0;
  for (int round = 0; round < 200000; round++) {
    size_t bytes = random_below(&r, random_below(&r, 50) == 0 ? 4000 : 40);
    if (random_below(&r, 2) == 0) {
      char chunk[4000];
      for (size_t i = 0; i < bytes; i++) chunk[i] = (char)(written++ * 31);
      buf_append(&b, chunk, bytes);
    } else {
      if (bytes > buf_len(&b)) bytes = buf_len(&b);
      buf_consume(&b, bytes);
      consumed += bytes;
    }
    assert_int_equal(buf_len(&b), written - consumed);
    if (buf_len(&b) == 0) continue;
    assert_int_equal((unsigned char)b.data[b.start], (unsigned char)(consumed * 31));
    assert_int_equal((unsigned char)b.data[b.end - 1], (unsigned char)((written - 1) * 31));
  }
  for (size_t i = 0; i < buf_len(&b); i++) {
    assert_int_equal((unsigned char)b.data[b.start + i], (unsigned char)((consumed + i) * 31));
  }
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zero_is_empty),
      cmocka_unit_test(test_appends_in_order),
      cmocka_unit_test(test_printf_longer_than_its_room),
      cmocka_unit_test(test_decimal_writes_what_printf_does),
      cmocka_unit_test(test_consuming_all_starts_over),
      cmocka_unit_test(test_reserve_gives_what_it_says),
      cmocka_unit_test(test_chop_drops_the_end),
      cmocka_unit_test(test_steady_queue_stays_small),
      cmocka_unit_test(test_random_against_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
