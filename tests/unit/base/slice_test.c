// Slices: taking pieces off at a separator, comparing, trimming.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/slice.h"

static const struct {
  const char *text, *front, *rest;
  bool is_split;
} splits[] = {
    {"a=b", "a", "b", true}, {"a=b=c", "a", "b=c", true}, {"=b", "", "b", true},
    {"a=", "a", "", true},   {"=", "", "", true},         {"ab", "ab", "", false},
    {"", "", "", false},
};

static void assert_slice(struct slice s, const char *text) {
  assert_true(slice_equal(s, slice_str(text)));
}

static void splits_at_the_first_separator(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
    struct slice rest = slice_str(splits[i].text), front;
    assert_int_equal(slice_split(&rest, '=', &front), splits[i].is_split);
    assert_slice(front, splits[i].front);
    assert_slice(rest, splits[i].rest);
    // Both point into the text, also where they are empty.
    assert_ptr_equal(front.ptr, splits[i].text);
    assert_ptr_equal(rest.ptr, splits[i].text + strlen(splits[i].text) - rest.len);
  }
}

static void walks_all_pieces(void **state) {
  (void)state;
  static const char *const pieces[] = {"a", "", "b;c", ""};
  struct slice rest = slice_str("a,,b;c,"), piece;
  size_t count = 0;
  bool has_more;
  do {
    has_more = slice_split(&rest, ',', &piece);
    assert_true(count < 4);
    assert_slice(piece, pieces[count++]);
  } while (has_more);
  assert_int_equal(count, 4);
}

static void splits_nothing(void **state) {
  (void)state;
  struct slice rest = {0}, front;
  assert_false(slice_split(&rest, ',', &front));
  assert_int_equal(front.len, 0);
  assert_int_equal(rest.len, 0);
}

static void trims_spaces_and_tabs(void **state) {
  (void)state;
  assert_slice(slice_trim(slice_str(" \t a b\t ")), "a b");
  assert_slice(slice_trim(slice_str(" \t ")), "");
  assert_slice(slice_trim(slice_str("a\r")), "a\r");
}

static void compares_without_case(void **state) {
  (void)state;
  assert_true(slice_equal_nocase(slice_str("Host"), slice_str("hOST")));
  assert_false(slice_equal_nocase(slice_str("Host"), slice_str("Hos")));
  assert_true(slice_starts_nocase(slice_str("HTTP://a"), slice_str("http://")));
  assert_false(slice_starts_nocase(slice_str("http"), slice_str("http://")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits_at_the_first_separator),
      cmocka_unit_test(walks_all_pieces),
      cmocka_unit_test(splits_nothing),
      cmocka_unit_test(trims_spaces_and_tabs),
      cmocka_unit_test(compares_without_case),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
