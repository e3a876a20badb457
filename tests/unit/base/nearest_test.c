// The nearest name: what counts as one slip, how many are allowed, and which name wins.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/nearest.h"

static const char *const names[] = {"get", "post", "history", "history_bytes", "max_topics", "ws"};
enum { NAMES = sizeof names / sizeof *names };

static const char *near(const char *wanted) { return nearest_name(wanted, names, NAMES); }

static void test_distance(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    size_t distance;
  } cases[] = {
      {"", "", 0},
      {"get", "get", 0},
      {"", "get", 3},
      {"get", "", 3},
      {"gett", "get", 1},
      {"gt", "get", 1},
      {"got", "get", 1},
      {"histroy", "history", 1},
      {"ehllo", "hello", 1},
      {"hellol", "hello", 1},
      {"ca", "abc", 3},  // a letter that was swapped is not changed again
      {"kitten", "sitting", 3},
      {"GET", "get", 0},
      {"max-topics", "max_topics", 0},
      {"abcd", "badc", 2},
      {"\xff", "\x7f", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(nearest_distance(cases[i].a, cases[i].b), cases[i].distance);
    assert_int_equal(nearest_distance(cases[i].b, cases[i].a), cases[i].distance);
  }
}

static void test_slips_are_named(void **state) {
  (void)state;
  assert_string_equal(near("gett"), "get");
  assert_string_equal(near("histroy"), "history");
  assert_string_equal(near("histry"), "history");
  assert_string_equal(near("Post"), "post");
  assert_string_equal(near("max-topic"), "max_topics");
  assert_string_equal(near("wss"), "ws");
  assert_string_equal(near("get"), "get");
}

static void test_what_is_not_near(void **state) {
  (void)state;
  static const char *const far[] = {"", "x", "wx", "route", "put_it", "hxxxory", "publish"};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) assert_null(near(far[i]));
  assert_null(nearest_name("get", names, 0));
}

static void test_less_than_a_third_may_differ(void **state) {
  (void)state;
  static const char *const some[] = {"abcdefg", "stats", "ws"};
  assert_string_equal(nearest_name("abcdexy", some, 3), "abcdefg");
  assert_null(nearest_name("abcdxyz", some, 3));
  assert_null(nearest_name("abcdxy", some, 1));
  assert_null(nearest_name("static", some, 3));
  assert_string_equal(nearest_name("state", some, 3), "stats");
  assert_string_equal(nearest_name("wss", some, 3), "ws");
  assert_null(nearest_name("w", some, 3));
}

static void test_the_nearest_wins_and_then_the_first(void **state) {
  (void)state;
  static const char *const some[] = {"workers", "worker", "worked"};
  assert_string_equal(nearest_name("workerx", some, 3), "workers");
  assert_string_equal(nearest_name("workex", some, 3), "worker");
  assert_string_equal(nearest_name("worked", some, 3), "worked");
}

static void test_long_names_are_near_to_none(void **state) {
  (void)state;
  char longest[NEAREST_NAME_BYTES + 1], longer[NEAREST_NAME_BYTES + 2], huge[4096];
  memset(longest, 'x', sizeof longest);
  memset(longer, 'x', sizeof longer);
  memset(huge, 'x', sizeof huge);
  longest[sizeof longest - 1] = longer[sizeof longer - 1] = huge[sizeof huge - 1] = '\0';
  const char *const all[] = {longest, longer, huge};
  assert_ptr_equal(nearest_name(longest, all, 3), longest);
  assert_null(nearest_name(longer, all, 3));
  assert_null(nearest_name(huge, all, 3));
  assert_int_equal(nearest_distance(longest, ""), NEAREST_NAME_BYTES);
  assert_true(nearest_distance(longer, "") > NEAREST_NAME_BYTES);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distance),
      cmocka_unit_test(test_slips_are_named),
      cmocka_unit_test(test_what_is_not_near),
      cmocka_unit_test(test_less_than_a_third_may_differ),
      cmocka_unit_test(test_the_nearest_wins_and_then_the_first),
      cmocka_unit_test(test_long_names_are_near_to_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
