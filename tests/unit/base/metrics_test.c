// Metrics: a table reads the fields that it is about.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/metrics.h"

struct numbers {
  metric_value opened;
  metric_value open;
};

static const struct metric rows[] = {
    METRIC(numbers, opened, METRIC_COUNTER, "Doors that were opened"),
    METRIC(numbers, open, METRIC_GAUGE, "Doors that are open"),
};
static const struct metrics table = METRICS(rows);

static void reads_what_was_counted(void **state) {
  (void)state;
  struct numbers numbers = {0};
  metric_count(&numbers.opened, 3);
  metric_count(&numbers.opened, 2);
  metric_add(&numbers.open, 5);
  metric_add(&numbers.open, -7);
  assert_int_equal(table.count, 2);
  assert_int_equal(metric_read(&table.rows[0], &numbers), 5);
  assert_int_equal(metric_read(&table.rows[1], &numbers), -2);
  metric_set(&numbers.open, 1);
  assert_int_equal(metric_read(&table.rows[1], &numbers), 1);
  assert_string_equal(table.rows[1].name, "open");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_what_was_counted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
