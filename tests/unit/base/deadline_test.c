// The deadline: it ends a process that does something else, and nothing once it is stopped.
#include "base/deadline.h"

#include "base/child.h"
#include "base/clock.h"

enum { SOON_MS = 50, NEVER_MS = 3600 * 1000 };

static struct child child;

static void say(void *text) { dprintf(STDERR_FILENO, "over: %s", (const char *)text); }

// It waits for ever, as what hangs does.
static void hang(void) {
  deadline_start(SOON_MS, say, "too late");
  for (;;) pause();
}

static void compute(void) {
  deadline_start(SOON_MS, say, "busy");
  for (volatile unsigned i = 0;; i++) continue;
}

static void the_process_ends_with_a_report(void **state) {
  (void)state;
  uint64_t start_ms = clock_mono_ms();
  child_run(&child, hang);
  assert_true(clock_mono_ms() - start_ms >= SOON_MS);
  child_expect_exit(&child, 1);
  assert_string_equal(child.text, "over: too late");
  child_run(&child, compute);
  child_expect_exit(&child, 1);
  assert_string_equal(child.text, "over: busy");
}

static void stop_at_once(void) {
  deadline_start(NEVER_MS, say, "never");
  deadline_stop();
  deadline_stop();
}

static void once_it_is_stopped_nothing_ends(void **state) {
  (void)state;
  child_run(&child, stop_at_once);
  child_expect_exit(&child, 0);
  assert_string_equal(child.text, "");
}

static void stopping_none_does_nothing(void **state) {
  (void)state;
  child_run(&child, deadline_stop);
  child_expect_exit(&child, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_process_ends_with_a_report),
      cmocka_unit_test(once_it_is_stopped_nothing_ends),
      cmocka_unit_test(stopping_none_does_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
