// The tables of metrics that gate.stats shows: complete, and of different names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hub/hub.h"
#include "net/stats.h"
#include "script/vm/vm.h"

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
      cmocka_unit_test(has_a_row_for_each_field),
      cmocka_unit_test(gives_no_name_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
