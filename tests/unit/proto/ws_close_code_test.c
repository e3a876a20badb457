// Close codes: which may be in a close frame, which a server may send, and the table itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/ws_close_code.h"

static void knows_valid_close_codes(void **state) {
  (void)state;
  for (int code = -1; code <= 5000; code++) {
    bool valid = (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
                 (code >= 3000 && code < 5000);
    assert_int_equal(ws_close_code_is_valid(code), valid);
  }
  assert_false(ws_close_code_is_valid(65535));
}

// What a server may send is what may be on the wire, but for the code of a client that
// misses an extension.
static void knows_what_a_server_may_send(void **state) {
  (void)state;
  for (int code = -1; code <= 5000; code++) {
    bool may_be = ws_close_code_is_valid(code) && code != 1010;
    assert_int_equal(ws_close_code_may_be_sent(code), may_be);
  }
  const int64_t far[] = {INT64_MIN, -1000, (int64_t)1 << 32 | 1000, INT64_MAX};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    assert_false(ws_close_code_may_be_sent(far[i]));
  }
}

static void has_one_row_for_a_code(void **state) {
  (void)state;
  for (size_t i = 0; i < ws_close_code_row_count; i++) {
    const struct ws_close_code_row *row = &ws_close_code_rows[i];
    assert_true(row->first <= row->last);
    if (i > 0) assert_true(row->first > row[-1].last);
    assert_ptr_equal(ws_close_code_find(row->first), row);
    assert_ptr_equal(ws_close_code_find(row->last), row);
    assert_true(strlen(row->name) > 0);
    if (row->is_of_servers) assert_true(row->is_on_wire);
  }
  assert_string_equal(ws_close_code_find(WS_CLOSE_GOING_AWAY)->name, "going away");
  assert_null(ws_close_code_find(1004));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_valid_close_codes),
      cmocka_unit_test(knows_what_a_server_may_send),
      cmocka_unit_test(has_one_row_for_a_code),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
