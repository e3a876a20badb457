// The bytes of responses: heads, chunks, dates, and what may stand in a header.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_response.h"

static void test_status(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *text;
  } rows[] = {
      {200, "OK"},
      {404, "Not Found"},
      {101, "Switching Protocols"},
      {431, "Request Header Fields Too Large"},
      {199, "Informational"},
      {299, "Success"},
      {399, "Redirection"},
      {499, "Client Error"},
      {599, "Server Error"},
      {600, "Unknown"},
      {99, "Unknown"},
      {-1, "Unknown"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_string_equal(http_status_text(rows[i].status), rows[i].text);
  }
  for (int status = 100; status < 600; status++) {
    bool is_bodiless = status < 200 || status == 204 || status == 205 || status == 304;
    assert_int_equal(http_status_is_bodiless(status), is_bodiless);
  }
}

static void expect(struct buf *out, const char *text) {
  assert_int_equal(buf_len(out), strlen(text));
  assert_memory_equal(buf_slice(out).ptr, text, strlen(text));
  buf_free(out);
}

static void test_head(void **state) {
  (void)state;
  struct buf out = {0};
  http_write_status(&out, 404);
  http_write_header(&out, slice_str("X-A"), slice_str("b c"));
  http_write_length(&out, 0);
  http_write_length(&out, UINT64_MAX);
  http_write_end(&out);
  expect(&out,
         "HTTP/1.1 404 Not Found\r\nX-A: b c\r\nContent-Length: 0\r\n"
         "Content-Length: 18446744073709551615\r\n\r\n");
  http_write_status(&out, 7);
  http_write_status(&out, 1000);
  http_write_status(&out, 799);
  expect(&out,
         "HTTP/1.1 500 Internal Server Error\r\nHTTP/1.1 500 Internal Server Error\r\n"
         "HTTP/1.1 799 Unknown\r\n");
}

static void test_chunks(void **state) {
  (void)state;
  struct buf out = {0};
  http_write_chunk(&out, slice_str("hello"));
  http_write_chunk(&out, slice_of(NULL, 0));
  http_write_chunk(&out, slice_str("0123456789abcdef0123456789"));
  http_write_last_chunk(&out);
  expect(&out, "5\r\nhello\r\n1a\r\n0123456789abcdef0123456789\r\n0\r\n\r\n");
}

static void test_validity(void **state) {
  (void)state;
  for (int c = 0; c < 256; c++) {
    char byte = (char)c;
    bool is_token = c > 0 && c < 128 &&
                    strchr(
                        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                        c) != NULL;
    assert_int_equal(http_header_name_is_valid(slice_of(&byte, 1)), is_token);
    bool is_text = c == '\t' || (c >= ' ' && c != 0x7f);
    assert_int_equal(http_header_value_is_valid(slice_of(&byte, 1)), is_text);
  }
  assert_false(http_header_name_is_valid(slice_str("")));
  assert_true(http_header_value_is_valid(slice_str("")));
  assert_true(http_header_name_is_valid(slice_str("X-Request-Id")));
  assert_false(http_header_name_is_valid(slice_str("X-Request-Id:")));
  assert_false(http_header_value_is_valid(slice_str("a\r\nX: b")));
}

static void test_date(void **state) {
  (void)state;
  static const struct {
    int64_t seconds;
    const char *text;
  } rows[] = {
      {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
      {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},  {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
      {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"}, {-5, "Thu, 01 Jan 1970 00:00:00 GMT"},
      {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char out[HTTP_DATE_BYTES];
    http_format_date(out, rows[i].seconds);
    assert_string_equal(out, rows[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_status),   cmocka_unit_test(test_head), cmocka_unit_test(test_chunks),
      cmocka_unit_test(test_validity), cmocka_unit_test(test_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
