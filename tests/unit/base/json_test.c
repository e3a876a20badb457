// Strings as JSON: every byte, at every place of a word.
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(struct slice text, const char *written) {
  struct buf out = {0};
  json_append_string(&out, text);
  buf_append_char(&out, '\0');
  assert_string_equal(out.data + out.start, written);
  buf_free(&out);
}

static void strings_are_escaped(void **state) {
  (void)state;
  expect(slice_str(""), "\"\"");
  expect(slice_str("plain / \xc3\xa4 \xf0\x9f\x8c\x8a"), "\"plain / \xc3\xa4 \xf0\x9f\x8c\x8a\"");
  expect(slice_str("\"\\"), "\"\\\"\\\\\"");
  expect(slice_str("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
  expect(slice_of("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\\u007f\"");
}

// A slow and simple model beside the one that looks at eight bytes at a time.
static void every_byte_is_found_at_every_place(void **state) {
  (void)state;
  for (unsigned c = 0; c < 256; c++) {
    bool is_special = c < 0x20 || c == '"' || c == '\\' || c == 0x7F;
    for (size_t len = 1; len <= 20; len++) {
      for (size_t place = 0; place < len; place++) {
        for (unsigned other = 0; other < 3; other++) {
          char text[20];
          memset(text, "a\xff "[other], sizeof text);
          text[place] = (char)c;
          assert_int_equal(json_plain_bytes(slice_of(text, len)), is_special ? place : len);
        }
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strings_are_escaped),
      cmocka_unit_test(every_byte_is_found_at_every_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
