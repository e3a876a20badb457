// The limit of processor time: it ends who computes and spares who waits.
#include "base/cpu_limit.h"

#include <time.h>

#include "base/child.h"

enum { LIMIT_MS = 50 };

static struct child child;

static void compute_for(double seconds) {
  clock_t until = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
  while (clock() < until) continue;
}

// ThreadSanitizer holds signals back until the C library is called.
static void compute(void) {
  cpu_limit_start(LIMIT_MS, "it computes\n");
  for (struct timespec now;;) clock_gettime(CLOCK_MONOTONIC, &now);
}

static void who_computes_is_ended_with_a_line(void **state) {
  (void)state;
  child_run(&child, compute);
  child_expect_exit(&child, 1);
  assert_string_equal(child.text, "it computes\n");
}

static void sleep_through(void) {
  cpu_limit_start(LIMIT_MS, "it sleeps\n");
  nanosleep(&(struct timespec){.tv_nsec = 4 * LIMIT_MS * 1000000}, NULL);
  cpu_limit_stop();  // the end of the process computes: sanitizers look for leaks
}

static void who_waits_is_not(void **state) {
  (void)state;
  child_run(&child, sleep_through);
  child_expect_exit(&child, 0);
  assert_string_equal(child.text, "");
}

static void compute_after_stop(void) {
  cpu_limit_start(LIMIT_MS, "it was stopped\n");
  cpu_limit_stop();
  compute_for(4 * LIMIT_MS / 1000.0);
}

static void once_it_is_stopped_nothing_ends(void **state) {
  (void)state;
  child_run(&child, compute_after_stop);
  child_expect_exit(&child, 0);
  assert_string_equal(child.text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_computes_is_ended_with_a_line),
      cmocka_unit_test(who_waits_is_not),
      cmocka_unit_test(once_it_is_stopped_nothing_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
