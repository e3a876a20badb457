// Growing arrays: how far, when, and that the content comes along.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"

static void grows_by_doubling(void **state) {
  (void)state;
  uint32_t *items = NULL;
  size_t cap = 0, growths = 0;
  for (uint32_t i = 0; i < 1000; i++) {
    size_t before = cap;
    items = mem_grow(items, &cap, i + 1, 3, sizeof *items);
    assert_true(cap > i);
    if (cap != before) {
      assert_int_equal(cap, before == 0 ? 3 : before * 2);
      growths++;
    }
    items[i] = i;
  }
  assert_int_equal(growths, 10);  // 3, 6, 12, ..., 1536
  for (uint32_t i = 0; i < 1000; i++) assert_int_equal(items[i], i);
  free(items);
}

static void grows_at_once_to_what_is_needed(void **state) {
  (void)state;
  size_t cap = 0;
  char *items = mem_grow(NULL, &cap, 100, 16, 1);
  assert_int_equal(cap, 100);
  items = mem_grow(items, &cap, 101, 16, 1);
  assert_int_equal(cap, 200);
  items = mem_grow(items, &cap, 1000, 16, 1);
  assert_int_equal(cap, 1000);
  free(items);
}

static void leaves_what_has_room(void **state) {
  (void)state;
  size_t cap = 0;
  assert_null(mem_grow(NULL, &cap, 0, 16, 8));
  assert_int_equal(cap, 0);
  char *items = mem_grow(NULL, &cap, 1, 16, 8);
  assert_int_equal(cap, 16);
  assert_ptr_equal(mem_grow(items, &cap, 16, 16, 8), items);
  assert_int_equal(cap, 16);
  free(items);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grows_by_doubling),
      cmocka_unit_test(grows_at_once_to_what_is_needed),
      cmocka_unit_test(leaves_what_has_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
