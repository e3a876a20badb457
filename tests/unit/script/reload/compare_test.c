// What differs between two looks at a script directory, and when it may be taken.
#include "script/reload/compare.h"

#include <fcntl.h>

#include "script/scripts.h"

static struct scan *loaded;
static char *lua_path;  // of the framework, NULL: there is none

static int look(void **state) {
  (void)state;
  scripts_open();
  scripts_write("a.lua", "1");
  scripts_write("_b.lua", "1");
  loaded = scan_new(scripts_dir, NULL, NULL);
  return 0;
}

static int forget(void **state) {
  (void)state;
  scan_free(loaded);
  free(lua_path);
  lua_path = NULL;
  scripts_close();
  return 0;
}

static char *path_of(const char *name) { return mem_format("%s/%s", scripts_dir, name); }

static void remove_script(const char *name) {
  char *path = path_of(name);
  assert_int_equal(unlink(path), 0);
  free(path);
}

enum { EXACT, ONLY_CONTENT };

// Compares with what is there now; NULL: nothing differs. `wait_ms` is how long it has to rest.
static void expect(const char *text, uint64_t wait_ms, bool only_content, bool is_unsure) {
  struct scan *now = scan_new(scripts_dir, lua_path, loaded);
  struct comparison found = compare_scans(loaded, now, only_content, is_unsure);
  if (text == NULL) {
    assert_int_equal(found.count, 0);
  } else {
    assert_true(found.count > 0);
    assert_string_equal(found.text.data, text);
    assert_int_equal(found.due_ms, wait_ms > 0 ? now->now_ms + wait_ms : 0);
  }
  buf_free(&found.text);
  scan_free(now);
}

static void names_what_differs(void **state) {
  (void)state;
  expect(NULL, 0, EXACT, false);
  scripts_write("a.lua", "2");
  scripts_write("c.lua", "2");
  scripts_write("page.html", "2");
  expect("a.lua changed, c.lua is new", 0, EXACT, false);
  expect("a.lua changed, c.lua is new", 500, EXACT, true);
  scripts_write("d/1.lua", "");
  scripts_write("d/2.lua", "");
  scripts_write("d/3.lua", "");
  scripts_write("d/4.lua", "");
  expect("a.lua changed, c.lua is new, d/1.lua is new, d/2.lua is new, d/3.lua is new, 1 more", 0,
         EXACT, false);
}

static void waits_for_what_is_gone_or_empty(void **state) {
  (void)state;
  remove_script("a.lua");
  expect("a.lua is gone", 1000, EXACT, false);
  remove_script("_b.lua");
  scripts_write("a.lua", "");
  expect("a.lua changed, _b.lua is gone", 2000, EXACT, false);
  remove_script("a.lua");
  expect("_b.lua is gone, a.lua is gone", 5000, EXACT, false);
}

static void a_link_that_leads_nowhere_is_a_script_that_is_gone(void **state) {
  (void)state;
  remove_script("a.lua");
  char *path = path_of("a.lua");
  assert_int_equal(symlink("nowhere", path), 0);
  expect("a.lua is gone", 1000, EXACT, false);
  free(path);
}

// A backup by a second name, or a copy that keeps the times, is not a change.
static void the_same_content_at_the_same_time_is_no_change(void **state) {
  (void)state;
  char *path = path_of("a.lua"), *other = path_of("other");
  assert_int_equal(link(path, other), 0);
  expect(NULL, 0, EXACT, false);
  scripts_write("copy", "1");
  char *copy = path_of("copy");
  const struct scan_file *file = scan_find(loaded, &(struct scan_file){.relative = "a.lua"});
  struct timespec times[] = {file->info.st_atim, file->info.st_mtim};
  assert_int_equal(utimensat(AT_FDCWD, copy, times, 0), 0);
  assert_int_equal(rename(copy, path), 0);
  expect(NULL, 0, EXACT, false);
  scripts_write("copy", "2");
  assert_int_equal(utimensat(AT_FDCWD, copy, times, 0), 0);
  assert_int_equal(rename(copy, path), 0);
  expect("a.lua changed", 0, EXACT, false);
  free(path);
  free(other);
  free(copy);
}

static void a_file_that_is_saved_as_it_was_is_a_change_but_not_of_content(void **state) {
  (void)state;
  char *path = path_of("a.lua");
  struct timespec times[] = {{1000, 0}, {1000, 0}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  expect("a.lua changed", 0, EXACT, false);
  expect(NULL, 0, ONLY_CONTENT, false);
  free(path);
}

static void scripts_that_can_be_read_again_are_a_change(void **state) {
  (void)state;
  loaded->error = mem_strdup("too many folders");
  expect("they can be read again", 0, EXACT, false);
}

// Of one name in both folders, each is a file of its own.
static void files_of_lua_path_are_told_apart_from_scripts(void **state) {
  (void)state;
  lua_path = path_of(".lib");
  scripts_write(".lib/a.lua", "1");
  scripts_write(".lib/b.lua", "1");
  scan_free(loaded);
  loaded = scan_new(scripts_dir, lua_path, NULL);
  expect(NULL, 0, EXACT, false);
  scripts_write(".lib/a.lua", "2");
  char *text = mem_format("%s/a.lua changed", lua_path);
  expect(text, 0, EXACT, false);
  remove_script(".lib/a.lua");
  free(text);
  text = mem_format("%s/a.lua is gone", lua_path);
  expect(text, 1000, EXACT, false);
  remove_script(".lib/b.lua");
  free(text);
  text = mem_format("%s/a.lua is gone, %s/b.lua is gone", lua_path, lua_path);
  expect(text, 5000, EXACT, false);
  free(text);
}

#define compare_test(name) cmocka_unit_test_setup_teardown(name, look, forget)

int main(void) {
  const struct CMUnitTest tests[] = {
      compare_test(names_what_differs),
      compare_test(waits_for_what_is_gone_or_empty),
      compare_test(a_link_that_leads_nowhere_is_a_script_that_is_gone),
      compare_test(the_same_content_at_the_same_time_is_no_change),
      compare_test(files_of_lua_path_are_told_apart_from_scripts),
      compare_test(scripts_that_can_be_read_again_are_a_change),
      compare_test(a_file_that_is_saved_as_it_was_is_a_change_but_not_of_content),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
