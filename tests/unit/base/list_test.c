// Lists: order, removal from anywhere, splicing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
  char name;
  struct list link;
};

// A head and items a, b, c, d, of which the first `count` are in the list.
struct fixture {
  struct list head;
  struct item items[4];
};

static void fill(struct fixture *f, int count) {
  list_init(&f->head);
  for (int i = 0; i < 4; i++) {
    f->items[i].name = (char)('a' + i);
    list_init(&f->items[i].link);
    if (i < count) list_append(&f->head, &f->items[i].link);
  }
}

// Walks both ways: a half-linked list shows in one of them.
static void assert_list(const struct list *head, const char *names) {
  size_t length = strlen(names), i = 0;
  for (struct list *n = head->next; n != head; n = n->next, i++) {
    assert_true(i < length);
    assert_int_equal(list_entry(n, struct item, link)->name, names[i]);
  }
  assert_int_equal(i, length);
  for (struct list *n = head->prev; n != head; n = n->prev, i--) {
    assert_int_equal(list_entry(n, struct item, link)->name, names[i - 1]);
  }
  assert_int_equal(i, 0);
  assert_int_equal(list_is_empty(head), length == 0);
}

static void test_appends_in_order(void **state) {
  (void)state;
  struct fixture f;
  fill(&f, 0);
  assert_list(&f.head, "");
  fill(&f, 4);
  assert_list(&f.head, "abcd");
}

static void test_removes_from_anywhere(void **state) {
  (void)state;
  static const char *const left[] = {"bcd", "acd", "abd", "abc"};
  for (int i = 0; i < 4; i++) {
    struct fixture f;
    fill(&f, 4);
    list_remove(&f.items[i].link);
    assert_list(&f.head, left[i]);
    list_remove(&f.items[i].link);  // harmless when in none
    assert_list(&f.head, left[i]);
    assert_true(list_is_empty(&f.items[i].link));
  }
}

static void test_pops_the_first(void **state) {
  (void)state;
  struct fixture f;
  fill(&f, 2);
  assert_ptr_equal(list_pop(&f.head), &f.items[0].link);
  assert_list(&f.head, "b");
  assert_ptr_equal(list_pop(&f.head), &f.items[1].link);
  assert_null(list_pop(&f.head));
  assert_true(list_is_empty(&f.items[0].link));
}

static void test_splices(void **state) {
  (void)state;
  static const struct {
    int to, from;
    const char *joined;
  } rows[] = {
      {0, 0, ""}, {0, 3, "abc"}, {3, 0, "abc"}, {1, 1, "aa"}, {2, 3, "ababc"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture to, from;
    fill(&to, rows[i].to);
    fill(&from, rows[i].from);
    list_splice(&to.head, &from.head);
    assert_list(&to.head, rows[i].joined);
    assert_list(&from.head, "");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_appends_in_order),
      cmocka_unit_test(test_removes_from_anywhere),
      cmocka_unit_test(test_pops_the_first),
      cmocka_unit_test(test_splices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
