// Log lines as they reach stderr: form, levels, and what a peer cannot forge.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

enum { STAMP_LENGTH = sizeof "2026-01-31T12:00:00.123Z" - 1 };

static int real_stderr, captured_read;

static int capture(void **state) {
  (void)state;
  int ends[2];
  if (pipe(ends) != 0) return -1;
  real_stderr = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  captured_read = ends[0];
  return 0;
}

static int release(void **state) {
  (void)state;
  dup2(real_stderr, STDERR_FILENO);
  close(real_stderr);
  close(captured_read);
  return 0;
}

// What one call wrote. The stderr end is closed so that nothing written reads as the end of
// the pipe.
static const char *captured_all(void) {
  static char text[70000];
  size_t len = 0;
  ssize_t got;
  dup2(real_stderr, STDERR_FILENO);
  while ((got = read(captured_read, text + len, sizeof text - 1 - len)) > 0) len += (size_t)got;
  text[len] = '\0';
  return text;
}

// The same behind its time stamp, whose form is checked.
static const char *captured(void) {
  const char *text = captured_all();
  if (text[0] == '\0') return text;
  assert_true(strlen(text) > STAMP_LENGTH);
  static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
  for (size_t i = 0; i < STAMP_LENGTH; i++) {
    if (form[i] == 'd')
      assert_in_range(text[i], '0', '9');
    else
      assert_int_equal(text[i], form[i]);
  }
  return text + STAMP_LENGTH;
}

static void test_levels_in_columns(void **state) {
  (void)state;
  log_error("number %d", 7);
  assert_string_equal(captured(), " error number 7\n");
}

static void test_info_is_padded(void **state) {
  (void)state;
  log_info("%s", "listening");
  assert_string_equal(captured(), " info  listening\n");
}

static void test_lower_levels_are_dropped(void **state) {
  (void)state;
  log_set_level(LOG_WARN);
  log_debug("no");
  log_info("no");
  log_warn("yes");
  log_set_level(LOG_INFO);
  assert_string_equal(captured(), " warn  yes\n");
}

static void test_debug_is_dropped_by_default(void **state) {
  (void)state;
  log_debug("no");
  assert_string_equal(captured(), "");
}

static void test_control_characters_are_escaped(void **state) {
  (void)state;
  log_info("%s",
           "a\rb\x1b[31mc\x7f\td\x01"
           "e");
  assert_string_equal(captured(), " info  a\\x0db\\x1b[31mc\\x7f\td\\x01e\n");
}

static void test_new_line_is_indented(void **state) {
  (void)state;
  log_info("%s", "first\n2026-01-31T12:00:00.123Z error forged");
  assert_string_equal(captured(), " info  first\n  2026-01-31T12:00:00.123Z error forged\n");
}

static void test_other_bytes_pass(void **state) {
  (void)state;
  log_info("%s", "caf\xc3\xa9 \xff");
  assert_string_equal(captured(), " info  caf\xc3\xa9 \xff\n");
}

static void test_empty_message(void **state) {
  (void)state;
  log_info("%s", "");
  assert_string_equal(captured(), " info  \n");
}

static void test_long_message_is_whole(void **state) {
  (void)state;
  static char text[50001];
  memset(text, 'x', 50000);
  log_info("%s", text);
  const char *line = captured();
  assert_int_equal(strlen(line), strlen(" info  ") + 50000 + 1);
  assert_memory_equal(line + strlen(" info  "), text, 50000);
}

// What is no line of the log: without stamp and level, at every level.
static void test_plain_lines(void **state) {
  (void)state;
  log_set_level(LOG_ERROR);
  log_plain("listening on %s", "http://127.0.0.1:8080");
  log_set_level(LOG_INFO);
  assert_string_equal(captured_all(), "listening on http://127.0.0.1:8080\n");
}

static void test_parses_level_names(void **state) {
  (void)state;
  static const char *const names[] = {"debug", "info", "warn", "error"};
  for (int i = 0; i < 4; i++) {
    enum log_level level;
    assert_true(log_level_parse(names[i], &level));
    assert_int_equal(level, i);
  }
  static const char *const wrong[] = {"", "Info", "warning", "inf", "info "};
  enum log_level level = LOG_WARN;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_false(log_level_parse(wrong[i], &level));
  assert_int_equal(level, LOG_WARN);
}

#define captured_test(name) cmocka_unit_test_setup_teardown(name, capture, release)

int main(void) {
  const struct CMUnitTest tests[] = {
      captured_test(test_levels_in_columns),
      captured_test(test_info_is_padded),
      captured_test(test_lower_levels_are_dropped),
      captured_test(test_debug_is_dropped_by_default),
      captured_test(test_control_characters_are_escaped),
      captured_test(test_new_line_is_indented),
      captured_test(test_other_bytes_pass),
      captured_test(test_empty_message),
      captured_test(test_long_message_is_whole),
      captured_test(test_plain_lines),
      cmocka_unit_test(test_parses_level_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
