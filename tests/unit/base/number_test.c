// Floats as text: the fewest digits that read back as the same, in any locale.
#include "base/number.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/german.h"
#include "base/random.h"

static void expect(double number, const char *written) {
  char out[NUMBER_MAX];
  assert_int_equal(number_write(number, out), strlen(written));
  assert_string_equal(out, written);
  double back = number_read(out);
  assert_memory_equal(&back, &number, sizeof number);
}

static void numbers_are_written_as_people_do(void **state) {
  (void)state;
  expect(0, "0");
  expect(-0.0, "-0");
  expect(1, "1");
  expect(-1, "-1");
  expect(0.1, "0.1");
  expect(-0.05, "-0.05");
  expect(0.0001, "0.0001");
  expect(0.00012, "0.00012");
  expect(1e-5, "1e-05");
  expect(100, "100");
  expect(19.99, "19.99");
  expect(1732658298.123, "1732658298.123");
  expect(123456789012345.0, "123456789012345");
  expect(1e15, "1e+15");
  expect(1e21, "1e+21");
  expect(0.1 + 0.2, "0.30000000000000004");
  expect(1.0 / 3, "0.3333333333333333");
  expect(1.7976931348623157e308, "1.7976931348623157e+308");
  expect(2.2250738585072014e-308, "2.2250738585072014e-308");
  expect(9007199254740992.0, "9007199254740992");
}

static size_t count_digits(const char *text) {
  size_t count = 0, zeros = 0;
  for (; *text != '\0' && *text != 'e'; text++) {
    if (*text == '-' || *text == '.' || (count == 0 && *text == '0')) continue;
    zeros = *text == '0' ? zeros + 1 : 0;
    count++;
  }
  return count - zeros;
}

// Beside printf, with one digit more until the number comes back.
static void expect_fewest(double number) {
  char out[NUMBER_MAX], model[64];
  size_t len = number_write(number, out);
  assert_true(len < NUMBER_MAX && out[len] == '\0');
  if (number_read(out) != number) fail_msg("%.17g: %s", number, out);
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(model, sizeof model, "%.*g", digits, number);
    if (strtod(model, NULL) == number) break;
  }
  if (count_digits(out) > count_digits(model)) fail_msg("%s, not %s", out, model);
}

static void random_numbers_take_the_fewest_digits(void **state) {
  (void)state;
  struct random random = {1};
  for (int i = 0; i < 100000; i++) {
    uint64_t bits = random_next(&random);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (isfinite(number)) expect_fewest(number);
    double places = pow(10, (double)(bits % 12));
    expect_fewest((double)(random_next(&random) % 1000000000) / places);
  }
}

static void *print_plainly(void *out) {
  number_plain_thread();
  snprintf(out, 64, "%.1f %.1f", 1.5, strtod("2.5", NULL));
  return NULL;
}

static void the_locale_changes_nothing(void **state) {
  (void)state;
  if (!german_start()) {
    german_end();
    skip();
  }
  char text[64];
  pthread_t thread;
  snprintf(text, sizeof text, "%.1f", 1.5);
  bool is_german = strcmp(text, "1,5") == 0;
  expect(0.1 + 0.2, "0.30000000000000004");
  expect(1e-7, "1e-07");
  assert_int_equal(pthread_create(&thread, NULL, print_plainly, text), 0);
  pthread_join(thread, NULL);
  german_end();
  assert_true(is_german);
  assert_string_equal(text, "1.5 2.5");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_written_as_people_do),
      cmocka_unit_test(random_numbers_take_the_fewest_digits),
      cmocka_unit_test(the_locale_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
