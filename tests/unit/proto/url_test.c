// URL pieces: decoding, dot segments and pairs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/url.h"

// Decodes into a copy of the exact size, so that a step beyond it shows.
static char *room_for(struct slice text) {
  char *out = malloc(text.len > 0 ? text.len : 1);
  assert_non_null(out);
  return out;
}

static const struct decode_row {
  const char *in, *path, *form;  // path NULL: refused
} decode_rows[] = {
    {"", "", ""},
    {"abc", "abc", "abc"},
    {"a%20b", "a b", "a b"},
    {"a+b", "a+b", "a b"},
    {"a+b%2B", "a+b+", "a b+"},
    {"%41%4a%4A", "AJJ", "AJJ"},
    {"%c3%a4", "\xc3\xa4", "\xc3\xa4"},
    {"%25%32%35", "%25", "%25"},
    {"\xff", "\xff", "\xff"},
    {"%", NULL, "%"},
    {"%4", NULL, "%4"},
    {"a%", NULL, "a%"},
    {"%4g", NULL, "%4g"},
    {"%g4", NULL, "%g4"},
    {"%%41", NULL, "%A"},
    {"%%%", NULL, "%%%"},
    {"%2%41", NULL, "%2A"},
    {"% 41", NULL, "% 41"},
    {"50%+off", NULL, "50% off"},
    {"%+1", NULL, "% 1"},
    {"100%&", NULL, "100%&"},
};

static void test_decode(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof decode_rows / sizeof *decode_rows; i++) {
    const struct decode_row *row = &decode_rows[i];
    struct slice in = slice_str(row->in);
    char *out = room_for(in);
    long len = url_decode(in, out);
    assert_int_equal(len >= 0, row->path != NULL);
    if (len >= 0) assert_true(slice_equal(slice_of(out, (size_t)len), slice_str(row->path)));
    assert_true(slice_equal(slice_of(out, url_decode_form(in, out)), slice_str(row->form)));
    free(out);
  }
}

static void test_nul(void **state) {
  (void)state;
  char out[6];
  assert_int_equal(url_decode(slice_of("a\0b", 3), out), -1);
  assert_int_equal(url_decode(slice_str("a%00b"), out), -1);
  assert_true(
      slice_equal(slice_of(out, url_decode_form(slice_str("a%00b"), out)), slice_of("a\0b", 3)));
}

static const struct path_row {
  const char *in, *out;  // NULL: refused
} path_rows[] = {
    {"/", "/"},
    {"/a", "/a"},
    {"/a/", "/a/"},
    {"/a/b", "/a/b"},
    {"//", "//"},
    {"/a//b", "/a//b"},
    {"/.", "/"},
    {"/./", "/"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/..", "/"},
    {"/a/../", "/"},
    {"/a/../b", "/b"},
    {"/a/b/../../c", "/c"},
    {"/a/b/..", "/a/"},
    {"/a/b/../..", "/"},
    {"//..", "/"},
    {"/a//../b", "/a/b"},
    {"/%2e", "/"},
    {"/a/%2e%2E/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2e./b", "/b"},
    {"/...", "/..."},
    {"/.a", "/.a"},
    {"/a.", "/a."},
    {"/..a", "/..a"},
    {"/a/%2e%2e%2e", "/a/%2e%2e%2e"},
    {"/%2f..", "/%2f.."},
    {"/a%2F..%2Fb", "/a%2F..%2Fb"},
    {"/a/..%2fb", "/a/..%2fb"},
    {"/%252e%252e", "/%252e%252e"},
    {"/a%5C..%5cb", "/a%5C..%5cb"},
    {"/a\\..\\b", NULL},
    {"/%c3%a4", "/%c3%a4"},
    {"/..", NULL},
    {"/../a", NULL},
    {"/a/../..", NULL},
    {"/a/../../b", NULL},
    {"/./..", NULL},
    {"/%2e%2e/a", NULL},
    {"/.%2E", NULL},
    {"/%", NULL},
    {"/%2", NULL},
    {"/%zz", NULL},
    {"/a%2", NULL},
    {"/%00", NULL},
    {"/%0a", NULL},
    {"/%1f", NULL},
    {"/%7f", NULL},
    {"/a\tb", NULL},
    {"", NULL},
    {"a", NULL},
    {"../a", NULL},
};

static void test_normalize(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof path_rows / sizeof *path_rows; i++) {
    size_t len = strlen(path_rows[i].in);
    // A copy of the exact size, so that a step beyond it shows.
    char *path = mem_dup(path_rows[i].in, len > 0 ? len : 1);
    long normal = url_normalize_path(path, len);
    if (path_rows[i].out == NULL) {
      assert_int_equal(normal, -1);
    } else {
      assert_int_equal(normal, strlen(path_rows[i].out));
      assert_memory_equal(path, path_rows[i].out, (size_t)normal);
      assert_int_equal(url_normalize_path(path, (size_t)normal), normal);
    }
    free(path);
  }
}

static const struct pairs_row {
  const char *in, *out;  // "name=value;" for each pair
} pairs_rows[] = {
    {"", ""},
    {"&", ""},
    {"&&", ""},
    {"a=1", "a=1;"},
    {"a=1&b=2", "a=1;b=2;"},
    {"a", "a=;"},
    {"a=", "a=;"},
    {"=1", "=1;"},
    {"=", "=;"},
    {"a=b=c", "a=b=c;"},
    {"&a=1&&b&", "a=1;b=;"},
    {"a=1&a=2", "a=1;a=2;"},
    {"a%26=%3D", "a%26=%3D;"},
};

static void test_pairs(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof pairs_rows / sizeof *pairs_rows; i++) {
    struct slice rest = slice_str(pairs_rows[i].in), name, value;
    struct buf out = {0};
    while (url_next_pair(&rest, &name, &value)) {
      buf_printf(&out, "%.*s=%.*s;", (int)name.len, name.ptr, (int)value.len, value.ptr);
    }
    buf_append(&out, "", 1);
    assert_string_equal(out.data, pairs_rows[i].out);
    buf_free(&out);
  }
  struct slice none = slice_of(NULL, 0), name, value;
  assert_false(url_next_pair(&none, &name, &value));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decode),
      cmocka_unit_test(test_nul),
      cmocka_unit_test(test_normalize),
      cmocka_unit_test(test_pairs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
