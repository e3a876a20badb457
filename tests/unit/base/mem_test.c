// Growing arrays: how far, when, and that the content comes along; pages; and the end of memory.
#include "base/mem.h"

#include <signal.h>

#include "base/child.h"

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

static void pages_are_zeroes(void **state) {
  (void)state;
  enum { BYTES = 3 * 4096 };
  char *pages = mem_pages(BYTES);
  for (size_t i = 0; i < BYTES; i++) assert_int_equal(pages[i], 0);
  pages[BYTES - 1] = 'x';
  mem_pages_free(pages, BYTES);
  mem_pages_free(NULL, 0);
  mem_trim();
}

// More than any machine has. Sanitizers refuse as much from malloc with words of their own.
static void take_too_much(void) {
  signal(SIGABRT, SIG_DFL);
  void *pages = mem_pages(SIZE_MAX / 2 + 1);
  (void)pages;
}

static void without_memory_the_process_says_so_and_aborts(void **state) {
  (void)state;
  static struct child child;
  child_run(&child, take_too_much);
  assert_true(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGABRT);
  assert_string_equal(child.text,
                      "tidegate: out of memory (9223372036854775808 bytes asked for)\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grows_by_doubling),
      cmocka_unit_test(grows_at_once_to_what_is_needed),
      cmocka_unit_test(leaves_what_has_room),
      cmocka_unit_test(pages_are_zeroes),
      cmocka_unit_test(without_memory_the_process_says_so_and_aborts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
