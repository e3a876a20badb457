// Addresses to listen on: which are well written, and what the errors say of others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "net/address.h"

static void well_written(void **state) {
  (void)state;
  static const char *const good[] = {"127.0.0.1:8080", "[::]:8080", "[::1]:0",   "localhost:65535",
                                     "0.0.0.0:1",      "unix:/a",   "unix:a/b:c"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    char *error = address_check(good[i]);
    if (error != NULL) fail_msg("%s", error);
  }
}

static void badly_written(void **state) {
  (void)state;
  static const struct {
    const char *address, *error;
  } cases[] = {
      {"8080", "\"8080\" is not HOST:PORT: 127.0.0.1:8080 serves this machine, 0.0.0.0:8080 all"},
      {":80", "\":80\" is not HOST:PORT: 127.0.0.1:80 serves this machine, 0.0.0.0:80 all"},
      {"nonsense", "\"nonsense\" is not HOST:PORT, [IPv6]:PORT or unix:PATH"},
      {"::1:80", "\"::1:80\" is not HOST:PORT, [IPv6]:PORT or unix:PATH"},
      {":", "\":\" is not HOST:PORT, [IPv6]:PORT or unix:PATH"},
      {"", "\"\" is not HOST:PORT, [IPv6]:PORT or unix:PATH"},
      {"a:65536", "\"a:65536\": the port is not a number from 0 to 65535"},
      {"a:99999999999999999999", "the port is not a number from 0 to 65535"},
      {"a:-1", "\"a:-1\": the port is not a number from 0 to 65535"},
      {"a:x", "\"a:x\": the port is not a number from 0 to 65535"},
      {"a: 80", "\"a: 80\": the port is not a number from 0 to 65535"},
      {"unix:", "\"unix:\": the path must have 1 to 107 bytes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *error = address_check(cases[i].address);
    assert_non_null(error);
    if (strstr(error, cases[i].error) == NULL) fail_msg("%s", error);
    free(error);
  }
}

static void a_path_has_its_longest_length(void **state) {
  (void)state;
  char address[] =
      "unix:/............................................................................"
      "..............................x";
  assert_int_equal(strlen(address), 5 + 108);
  char *error = address_check(address);
  assert_non_null(error);
  free(error);
  address[5 + 107] = '\0';
  assert_null(address_check(address));
  assert_string_equal(address_unix_path(address), address + 5);
  assert_null(address_unix_path("127.0.0.1:1"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(well_written),
      cmocka_unit_test(badly_written),
      cmocka_unit_test(a_path_has_its_longest_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
