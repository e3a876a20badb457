// What is logged rarely: once, and again when a minute is over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rarely.h"

static void test_once_a_minute(void **state) {
  (void)state;
  struct rarely rarely = {0}, other = {0};
  assert_true(rarely_is_due(&rarely, 5));  // at once, also soon after the machine has started
  for (uint64_t now = 5; now < 5 + RARELY_MS; now += 997) assert_false(rarely_is_due(&rarely, now));
  assert_true(rarely_is_due(&other, 100));
  assert_true(rarely_is_due(&rarely, 5 + RARELY_MS));
  assert_false(rarely_is_due(&rarely, 6 + RARELY_MS));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_once_a_minute),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
