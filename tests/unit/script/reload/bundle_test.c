// Reading a script directory: what is run, what can be required, what is refused.
#include "script/reload/bundle.h"

#include <sys/stat.h>

#include "net/fake_log.h"
#include "script/scripts.h"

static int make_dir(void **state) {
  (void)state;
  scripts_open();
  fake_log_clear();
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

// Lua shows 59 bytes of a name.
static void names_file_and_line_far_down_in_lua_path(void **state) {
  (void)state;
  char *scripts = mem_format("%s/scripts", scripts_dir);
  char *folder = mem_format("%s/a_folder_with_a_long_name_and_one_below_it", scripts_dir);
  char *error = NULL;
  scripts_write("scripts/a.lua", "");
  scripts_write("a_folder_with_a_long_name_and_one_below_it/more/bad.lua", "\n\nx x");
  assert_null(bundle_load(scripts, folder, &error));
  assert_non_null(strstr(error, "more/bad.lua:3: syntax error"));
  free(error);
  free(folder);
  free(scripts);
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

// ---- what is no script -----------------------------------------------------------

static char *path_of(const char *name) { return mem_format("%s/%s", scripts_dir, name); }

static void make_link(const char *target, const char *name) {
  char *path = path_of(name);
  assert_int_equal(symlink(target, path), 0);
  free(path);
}

static void expect_scripts(size_t count) {
  char *error = NULL;
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  if (bundle == NULL) fail_msg("%s", error);
  assert_int_equal(bundle_script_count(bundle), count);
  bundle_unref(bundle);
}

static void expect_error(const char *text) {
  char *error = NULL;
  assert_null(bundle_load(scripts_dir, NULL, &error));
  if (strstr(error, text) == NULL) fail_msg("no \"%s\" in %s", text, error);
  free(error);
}

static void a_byte_order_mark_is_no_error(void **state) {
  (void)state;
  scripts_write("mark.lua", "\xef\xbb\xbfreturn 1");
  scripts_write("shell.lua", "\xef\xbb\xbf#!/usr/bin/lua\nreturn 1");
  scripts_write("only.lua", "\xef\xbb\xbf");
  scripts_write("_module.lua", "\xef\xbb\xbfreturn 1");
  expect_scripts(3);
  scripts_write("mark.lua", "\xef\xbb\xbf#!\n\nx x");
  expect_error("mark.lua:3: syntax error");
  scripts_write("mark.lua", "\xff\xfer");
  expect_error("/mark.lua: it is UTF-16, and Lua reads UTF-8");
}

static void a_fifo_is_not_waited_for(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  char *path = path_of("x.lua");
  assert_int_equal(mkfifo(path, 0600), 0);
  free(path);
  make_link("x.lua", "y.lua");
  make_link("/dev/zero", "zero.lua");
  expect_scripts(1);
  assert_true(fake_log_has("/x.lua is a FIFO, not a file: not loaded"));
  assert_true(fake_log_has("/y.lua is a FIFO, not a file: not loaded"));
  assert_true(fake_log_has("/zero.lua is a device, not a file: not loaded"));
}

static void a_script_that_cannot_be_read_is_an_error_that_names_it(void **state) {
  (void)state;
  make_link("gone", "x.lua");
  expect_error("cannot read /tmp/tidegate-scripts-");
  expect_error("/x.lua: No such file or directory");
  make_link("z.lua", "z.lua");
  char *path = path_of("x.lua");
  unlink(path);
  free(path);
  expect_error("/z.lua: Too many levels of symbolic links");
}

static void hidden_links_that_lead_nowhere_are_ignored(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  make_link("user@host.123:456", ".#a.lua");
  make_link("nowhere", "note");
  expect_scripts(1);
}

// As another user, where the tests are root's: nothing is unreadable to root.
static void a_folder_that_cannot_be_read_is_named_and_left_out(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  scripts_write("lost+found/b.lua", "return 1");
  char *path = path_of("lost+found");
  assert_int_equal(chmod(path, 0), 0);
  assert_int_equal(chmod(scripts_dir, 0755), 0);
  uid_t me = geteuid();
  if (me == 0) assert_int_equal(seteuid(65534), 0);
  expect_scripts(1);
  if (me == 0) assert_int_equal(seteuid(0), 0);
  assert_true(fake_log_has("/lost+found: Permission denied: not looked into"));
  assert_int_equal(chmod(path, 0700), 0);
  free(path);
}

// Its names can be listed, and none of them opened.
static void a_folder_that_cannot_be_searched_is_named_and_left_out(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  scripts_write("locked/b.lua", "return 1");
  char *path = path_of("locked"), *error = NULL;
  assert_int_equal(chmod(path, 0744), 0);
  assert_int_equal(chmod(scripts_dir, 0755), 0);
  uid_t me = geteuid();
  if (me == 0) assert_int_equal(seteuid(65534), 0);
  expect_scripts(1);
  assert_null(bundle_load(path, NULL, &error));
  if (me == 0) assert_int_equal(seteuid(0), 0);
  assert_true(fake_log_has("/locked: Permission denied: not looked into"));
  assert_non_null(strstr(error, "/locked: Permission denied"));
  assert_int_equal(chmod(path, 0700), 0);
  free(error);
  free(path);
}

// Folder in folder, made from inside: no path of the system reaches the last ones.
static void a_path_that_is_too_long_is_named_and_left_out(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  char name[201] = "", *here = getcwd(NULL, 0);
  memset(name, 'x', 200);
  assert_int_equal(chdir(scripts_dir), 0);
  for (int i = 0; i < 25; i++) {
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(chdir(name), 0);
  }
  assert_int_equal(chdir(here), 0);
  free(here);
  expect_scripts(1);
  assert_true(fake_log_has("warn cannot look at "));
}

static void deep_folders_do_not_stop_it(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  scripts_write("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/b.lua", "return 1");
  expect_scripts(2);
  scripts_write("1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/c.lua", "");
  expect_scripts(2);
  assert_true(fake_log_has("is more than 32 folders deep: not looked into"));
}

static void a_link_to_a_folder_above_is_not_followed(void **state) {
  (void)state;
  scripts_write("a.lua", "return 1");
  scripts_write("sub/b.lua", "return 1");
  scripts_write("_lib/c.lua", "return 1");
  make_link("..", "sub/up");
  make_link("_lib", "one");
  make_link("_lib", "two");
  expect_scripts(4);
  assert_true(fake_log_has("/sub/up leads back to a folder above it: not followed"));
}

static void names_may_be_anything(void **state) {
  (void)state;
  scripts_write("new\nline.lua", "return 1");
  scripts_write("\xff\xfe.lua", "return 1");
  scripts_write("folder.lua/x.lua", "return 1");
  expect_scripts(3);
  scripts_write("new\nline.lua", "x x");
  expect_error("/new?line.lua:1: syntax error");
}

#define bundle_test(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void) {
  const struct CMUnitTest tests[] = {
      bundle_test(runs_scripts_in_order_of_their_paths),
      bundle_test(names_file_and_line_of_an_error),
      bundle_test(names_file_and_line_far_down_in_lua_path),
      bundle_test(refuses_a_module_that_is_there_twice),
      bundle_test(skips_a_first_line_for_the_shell_and_keeps_line_numbers),
      bundle_test(refuses_bytecode_and_folders_that_are_not_there),
      bundle_test(a_byte_order_mark_is_no_error),
      bundle_test(a_fifo_is_not_waited_for),
      bundle_test(a_script_that_cannot_be_read_is_an_error_that_names_it),
      bundle_test(hidden_links_that_lead_nowhere_are_ignored),
      bundle_test(a_folder_that_cannot_be_read_is_named_and_left_out),
      bundle_test(a_folder_that_cannot_be_searched_is_named_and_left_out),
      bundle_test(a_path_that_is_too_long_is_named_and_left_out),
      bundle_test(deep_folders_do_not_stop_it),
      bundle_test(a_link_to_a_folder_above_is_not_followed),
      bundle_test(names_may_be_anything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
