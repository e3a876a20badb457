// Metrics: a table reads the fields that it is about, and the tables of core agree on names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/metrics.h"
#include "hub/hub.h"
#include "net/stats.h"
#include "script/vm/vm.h"

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

static const struct {
  const struct metrics *table;
  size_t bytes;  // of the struct it is about
} tables[] = {
    {&stats_metrics, sizeof(struct stats)},
    {&hub_metrics, sizeof(struct hub_counters)},
    {&vm_metrics, sizeof(struct vm_metrics)},
};

// Every field has its row, so no number is left out wherever metrics are shown.
static void has_a_row_for_each_field(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    const struct metrics *t = tables[i].table;
    assert_int_equal(t->count * sizeof(metric_value), tables[i].bytes);
    for (size_t r = 0; r < t->count; r++) {
      assert_int_equal(t->rows[r].offset, r * sizeof(metric_value));
      assert_true(strlen(t->rows[r].help) > 0);
      assert_int_not_equal(t->rows[r].help[strlen(t->rows[r].help) - 1], '.');
    }
  }
}

static size_t count_name(const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (size_t r = 0; r < tables[i].table->count; r++)
      count += strcmp(tables[i].table->rows[r].name, name) == 0;
  }
  return count;
}

static void gives_no_name_twice(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (size_t r = 0; r < tables[i].table->count; r++)
      assert_int_equal(count_name(tables[i].table->rows[r].name), 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_was_counted),
      cmocka_unit_test(has_a_row_for_each_field),
      cmocka_unit_test(gives_no_name_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
