// Reading a script directory: what is run, what can be required, what is refused.
#include "script/reload/bundle.h"

#include "script/scripts.h"

static int make_dir(void **state) {
  (void)state;
  scripts_open();
  return 0;
}

static int remove_dir(void **state) {
  (void)state;
  scripts_close();
  return 0;
}

static void runs_scripts_in_order_of_their_paths(void **state) {
  (void)state;
  static const char *const names[] = {"b.lua",       "a/z.lua",    "a/init.lua",  "_lib.lua",
                                      "_more/x.lua", "config.lua", ".hidden.lua", "note.txt"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) scripts_write(names[i], "return 1");
  char *error = NULL;
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  assert_non_null(bundle);
  static const char *const runs[] = {"a", "a.z", "b"};
  size_t at = 0;
  for (size_t i = 0; i < bundle->count; i++) {
    if (bundle->chunks[i].is_script) assert_string_equal(bundle->chunks[i].module, runs[at++]);
  }
  assert_int_equal(at, 3);
  assert_int_equal(bundle_script_count(bundle), 3);
  assert_non_null(bundle_find(bundle, "_lib"));
  assert_non_null(bundle_find(bundle, "_more.x"));
  assert_non_null(bundle_find(bundle, "tidegate"));
  assert_null(bundle_find(bundle, "config"));
  assert_null(bundle_find(bundle, ".hidden"));
  bundle_unref(bundle);
}

static void names_file_and_line_of_an_error(void **state) {
  (void)state;
  scripts_write("bad.lua", "local x = 1\n\nx x");
  char *error = NULL;
  assert_null(bundle_load(scripts_dir, NULL, &error));
  assert_non_null(strstr(error, "/bad.lua:3: syntax error"));
  free(error);
}

static void refuses_a_module_that_is_there_twice(void **state) {
  (void)state;
  scripts_write("m.lua", "return 1");
  scripts_write("m/init.lua", "return 2");
  char *error = NULL;
  assert_null(bundle_load(scripts_dir, NULL, &error));
  assert_non_null(strstr(error, "module \"m\" is also"));
  free(error);
}

static void skips_a_first_line_for_the_shell_and_keeps_line_numbers(void **state) {
  (void)state;
  scripts_write("shell.lua", "#!/usr/bin/env lua\n\nx x");
  char *error = NULL;
  assert_null(bundle_load(scripts_dir, NULL, &error));
  assert_non_null(strstr(error, "shell.lua:3:"));
  free(error);
}

static void refuses_bytecode_and_folders_that_are_not_there(void **state) {
  (void)state;
  scripts_write("code.lua", "\x1bLua");
  char *error = NULL;
  assert_null(bundle_load(scripts_dir, NULL, &error));
  assert_non_null(strstr(error, "code.lua"));
  free(error);
  error = NULL;
  assert_null(bundle_load("/no/such/folder", NULL, &error));
  assert_non_null(strstr(error, "/no/such/folder: No such file"));
  free(error);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(runs_scripts_in_order_of_their_paths, make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(names_file_and_line_of_an_error, make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(refuses_a_module_that_is_there_twice, make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(skips_a_first_line_for_the_shell_and_keeps_line_numbers,
                                      make_dir, remove_dir),
      cmocka_unit_test_setup_teardown(refuses_bytecode_and_folders_that_are_not_there, make_dir,
                                      remove_dir),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
