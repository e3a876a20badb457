// The form of a line: bytes that texts do not have, and the bound of one message.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log_line.h"
#include "base/mem.h"

enum { STAMP_BYTES = sizeof "2026-01-31T12:00:00.123Z " - 1 };

static void test_a_nul_is_escaped(void **state) {
  (void)state;
  struct buf line = {0};
  log_line_append(&line, LOG_WARN, "a\0b", 3);
  buf_append_char(&line, '\0');
  assert_string_equal(line.data + STAMP_BYTES, "warn  a\\x00b\n");
  buf_free(&line);
}

static void test_a_message_is_cut_at_its_bound(void **state) {
  (void)state;
  size_t length = LOG_MESSAGE_BYTES + 7;
  char *text = mem_alloc(length);
  memset(text, 'x', length);
  struct buf line = {0};
  log_line_append(&line, LOG_INFO, text, LOG_MESSAGE_BYTES);
  assert_int_equal(buf_len(&line), STAMP_BYTES + strlen("info  ") + LOG_MESSAGE_BYTES + 1);
  buf_clear(&line);
  log_line_append(&line, LOG_INFO, text, length);
  static const char end[] = "xxx... (7 bytes more)\n";
  assert_memory_equal(line.data + line.end - strlen(end), end, strlen(end));
  buf_free(&line);
  free(text);
}

static void test_levels_have_names(void **state) {
  (void)state;
  assert_string_equal(log_level_name(LOG_DEBUG), "debug");
  assert_string_equal(log_level_name(LOG_ERROR), "error");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_nul_is_escaped),
      cmocka_unit_test(test_a_message_is_cut_at_its_bound),
      cmocka_unit_test(test_levels_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
