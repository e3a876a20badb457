// The standard library of scripts: what would stop or hold up the server, or change its numbers.
#include <locale.h>

#include "script/fake_gate.h"

static void expect(const char *expression, const char *noted) {
  char *script = mem_format("note(%s)", expression);
  gate_open(script);
  free(script);
  if (strcmp(gate_notes(), noted) != 0) fail_msg("%s: %s, not %s", expression, gate_notes(), noted);
  gate_close();
}

static void the_locale_stays(void **state) {
  (void)state;
  expect("os.setlocale()", "C\n");
  expect("os.setlocale(nil, 'numeric')", "C\n");
  expect("os.setlocale 'C'", "C\n");
  expect("os.setlocale('POSIX', 'time')", "C\n");
  const char *refused = "nil the locale of the server is \"C\" and stays so locale\n";
  expect("os.setlocale 'de_DE.UTF-8'", refused);
  expect("os.setlocale ''", refused);
  expect("os.setlocale 'C.UTF-8'", refused);
  expect("os.setlocale('de_DE.UTF-8', 'numeric')", refused);
  expect("(pcall(os.setlocale, 'C', 'odd'))", "false\n");
  assert_string_equal(setlocale(LC_ALL, NULL), "C");
}

static void the_input_is_empty(void **state) {
  (void)state;
  expect("io.read()", "nil\n");
  expect("io.stdin:read 'a' == ''", "true\n");
  expect("(io.lines()())", "nil\n");
}

static void what_would_stop_the_server_raises(void **state) {
  (void)state;
  expect("select('#', pcall(os.exit)), pcall(os.exit, true, true)",
         "2 false os.exit would stop the server; raise an error instead\n");
  expect("(pcall(debug.debug))", "false\n");
  expect("io.stdout:close()", "nil cannot close standard file\n");
  expect("io.stderr:close()", "nil cannot close standard file\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_locale_stays),
      cmocka_unit_test(the_input_is_empty),
      cmocka_unit_test(what_would_stop_the_server_raises),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
