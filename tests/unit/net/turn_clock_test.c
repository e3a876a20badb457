// Slow turns: what the log says of them, how often, and which handler it names. A tick is a
// millisecond here, so that a turn is slow as soon as it has lasted at all.
#include "net/turn_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/fake_log.h"

uint64_t clock_mono_ms(void) { return 1; }
uint64_t clock_mono_ns(void) { return 1000000; }
double clock_wall_s(void) { return 1700000000; }
uint64_t clock_ticks_per_ms(void) { return 1; }

static struct turn_clock watch;

static bool take_turn(const char *name, uint64_t now_ms) {
  turn_clock_begin_turn(&watch);
  if (name != NULL && turn_clock_end_task(&watch))
    snprintf(watch.name, sizeof watch.name, "%s", name);
  return turn_clock_end_turn(&watch, 3, now_ms);
}

static void a_slow_turn_names_its_longest_handler(void **state) {
  (void)state;
  fake_log_clear();
  turn_clock_init(&watch, 2, 1);
  assert_false(turn_clock_end_turn(&watch, 3, 1));  // none has begun
  assert_true(take_turn("route=GET /x conn=1", 1000));
  assert_true(fake_log_has("a turn of worker 3 took "));
  assert_true(fake_log_has(" of them in one handler: route=GET /x conn=1"));
}

static void a_turn_without_a_long_handler_says_so(void **state) {
  (void)state;
  fake_log_clear();
  turn_clock_init(&watch, 2, 1);
  assert_true(take_turn(NULL, 1000));
  assert_true(fake_log_has(" ms, with no handler over 0"));
}

static void at_most_one_line_a_second(void **state) {
  (void)state;
  fake_log_clear();
  turn_clock_init(&watch, 2, 1);
  assert_true(take_turn("first", 1000));
  fake_log_clear();
  assert_true(take_turn("second", 1999));
  assert_true(take_turn("third", 1999));
  assert_false(fake_log_has("took"));
  assert_true(take_turn("fourth", 2000));
  assert_true(fake_log_has("fourth; 2 more were not logged"));
}

static void no_turn_is_slow_when_that_is_off(void **state) {
  (void)state;
  turn_clock_init(&watch, 2, 0);
  assert_false(take_turn("x", 1000));
  assert_string_equal(watch.name, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_slow_turn_names_its_longest_handler),
      cmocka_unit_test(a_turn_without_a_long_handler_says_so),
      cmocka_unit_test(at_most_one_line_a_second),
      cmocka_unit_test(no_turn_is_slow_when_that_is_off),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
