// Cookies: reading Cookie headers, writing Set-Cookie values.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/cookie.h"

static const struct read_row {
  const char *in, *out;  // "name=value|" for each cookie
} read_rows[] = {
    {"", ""},
    {"a=1", "a=1|"},
    {"a=1; b=2", "a=1|b=2|"},
    {"a=1;b=2", "a=1|b=2|"},
    {"  a = 1 ;\tb=2 ", "a=1|b=2|"},
    {"a=", "a=|"},
    {"=1", ""},
    {"a", ""},
    {"a; b=2; ;; =x", "b=2|"},
    {"a=\"1\"", "a=1|"},
    {"a=\"\"", "a=|"},
    {"a=\"", "a=\"|"},
    {"a=\"1", "a=\"1|"},
    {"a=b=c", "a=b=c|"},
    {"a=1; a=2", "a=1|a=2|"},
    {"a=1,b=2", "a=1,b=2|"},
};

static void test_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof read_rows / sizeof *read_rows; i++) {
    struct slice rest = slice_str(read_rows[i].in), name, value;
    struct buf out = {0};
    while (cookie_next(&rest, &name, &value)) {
      buf_printf(&out, "%.*s=%.*s|", (int)name.len, name.ptr, (int)value.len, value.ptr);
    }
    buf_append(&out, "", 1);
    assert_string_equal(out.data, read_rows[i].out);
    buf_free(&out);
  }
}

#define S(text) \
  { text, sizeof(text) - 1 }

static const struct write_row {
  struct slice name, value;
  struct cookie_options options;
  const char *out;  // NULL: refused
} write_rows[] = {
    {S("a"), S("1"), {.max_age_s = -1}, "a=1; Path=/; SameSite=Lax"},
    {S("a"), S(""), {.max_age_s = 0}, "a=; Path=/; Max-Age=0; SameSite=Lax"},
    {S("a"),
     S("1"),
     {.path = S("/x y"),
      .domain = S("example.org"),
      .max_age_s = 60,
      .secure = true,
      .http_only = true,
      .same_site = S("none")},
     "a=1; Path=/x y; Domain=example.org; Max-Age=60; Secure; HttpOnly; SameSite=None"},
    {S("a"), S("1"), {.max_age_s = -1, .same_site = S("Strict")}, "a=1; Path=/; SameSite=Strict"},
    {S("__Host-a"),
     S("1"),
     {.max_age_s = -1, .secure = true},
     "__Host-a=1; Path=/; Secure; SameSite=Lax"},
    {S(""), S("1"), {.max_age_s = -1}, NULL},
    {S("a b"), S("1"), {.max_age_s = -1}, NULL},
    {S("a="), S("1"), {.max_age_s = -1}, NULL},
    {S("a\r\nX"), S("1"), {.max_age_s = -1}, NULL},
    {S("a"), S("1;x"), {.max_age_s = -1}, NULL},
    {S("a"), S("1 2"), {.max_age_s = -1}, NULL},
    {S("a"), S("1,2"), {.max_age_s = -1}, NULL},
    {S("a"), S("\"1\""), {.max_age_s = -1}, NULL},
    {S("a"), S("1\r\nX: y"), {.max_age_s = -1}, NULL},
    {S("a"), S("1\0"), {.max_age_s = -1}, NULL},
    {S("a"), S("\xc3\xa4"), {.max_age_s = -1}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .path = S("x")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .path = S("/;x")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .path = S("/\n")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .domain = S("a;b")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .domain = S("a b")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .same_site = S("Loose")}, NULL},
    {S("a"), S("1"), {.max_age_s = -1, .same_site = S("None")}, NULL},
    {S("__Host-a"), S("1"), {.max_age_s = -1}, NULL},
    {S("__Host-a"), S("1"), {.max_age_s = -1, .secure = true, .path = S("/x")}, NULL},
    {S("__Host-a"), S("1"), {.max_age_s = -1, .secure = true, .domain = S("h")}, NULL},
    {S("__Secure-a"), S("1"), {.max_age_s = -1}, NULL},
};

static void test_write(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof write_rows / sizeof *write_rows; i++) {
    const struct write_row *row = &write_rows[i];
    struct buf out = {0};
    const char *wrong = cookie_write(&out, row->name, row->value, &row->options);
    assert_int_equal(wrong == NULL, row->out != NULL);
    assert_true(slice_equal(buf_slice(&out), slice_str(row->out)));
    buf_free(&out);
  }
}

static void test_size(void **state) {
  (void)state;
  static char value[4096];
  memset(value, 'x', sizeof value);
  struct cookie_options options = {.max_age_s = -1};
  struct buf out = {0};
  assert_null(cookie_write(&out, slice_str("a"), slice_of(value, 4095), &options));
  buf_clear(&out);
  assert_non_null(cookie_write(&out, slice_str("a"), slice_of(value, 4096), &options));
  assert_int_equal(buf_len(&out), 0);
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read),
      cmocka_unit_test(test_write),
      cmocka_unit_test(test_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
