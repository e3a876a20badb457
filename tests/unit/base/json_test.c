// What lua-cjson takes and RFC 8259 does not: a row for each.
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define TEXT(text) text, sizeof(text) - 1

static const struct row {
  const char *text;
  size_t bytes;
  const char *says;  // NULL: nothing is wrong with it
} rows[] = {
    {TEXT(""), NULL},
    {TEXT("{\"a\": [1.5, -0.25, 1e5, \"\"],\r\n\t\"b\\n\\\\\": null}"), NULL},
    {TEXT("\"1. .5 \x7f \xc3\xa4 \xf0\x9f\x8c\x8a\""), NULL},
    {TEXT("[\"a\\\"b\", 1.5]"), NULL},
    {TEXT("\"\xff\""), "UTF-8"},
    {TEXT("\"\xed\xa0\x80\""), "UTF-8"},
    {TEXT("{\"\xc3\": 1}"), "UTF-8"},
    {TEXT("\"a\tb\""), "control"},
    {TEXT("{\"a\nb\": 1}"), "control"},
    {TEXT("\"\x01\""), "control"},
    {TEXT("\"a\\\"\x1f\""), "control"},
    {TEXT("[\"\\\\\", \"\r\"]"), "control"},
    {TEXT("1."), "digits"},
    {TEXT("[1.]"), "digits"},
    {TEXT("1.e5"), "digits"},
    {TEXT("-.5"), "digits"},
    {TEXT(".5"), "digits"},
    {TEXT("[\"\\\"\",1.]"), "digits"},
    {TEXT("1 \0"), "nothing may follow"},
    {TEXT("[1]\0, 2]"), "nothing may follow"},
};
enum { ROWS = sizeof rows / sizeof *rows };

// The text stands in memory of its own, so that a sanitizer sees a step outside.
static void test_row(void **state) {
  const struct row *row = *state;
  char *text = mem_dup(row->text, row->bytes);
  const char *says = json_find_fault(slice_of(text, row->bytes));
  free(text);
  assert_int_equal(says == NULL, row->says == NULL);
  if (says != NULL) assert_non_null(strstr(says, row->says));
}

int main(void) {
  struct CMUnitTest tests[ROWS];
  for (size_t i = 0; i < ROWS; i++)
    tests[i] = (struct CMUnitTest){rows[i].text, test_row, NULL, NULL, (void *)&rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
