// The file of types for editors: what is written, and whose file stays.
#include "script/reload/types_file.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/child.h"
#include "script/scripts.h"

#define HEAD "---@meta tidegate\n-- Written by tidegate "

static struct child child;
static char dir[80], path[96];

static int open_dir(void **state) {
  (void)state;
  scripts_open();
  snprintf(dir, sizeof dir, "%s/types", scripts_dir);
  snprintf(path, sizeof path, "%s/tidegate.lua", dir);
  return 0;
}

static int close_dir(void **state) {
  (void)state;
  scripts_close();
  return 0;
}

static void write_types(void) { exit(types_file_write(dir)); }

static void expect_refused(const char *why) {
  child_run(&child, write_types);
  child_expect_exit(&child, 1);
  char *expected = mem_format("tidegate: %s: %s\n", path, why);
  assert_string_equal(child.text, expected);
  free(expected);
}

// The whole file, or "" when there is none.
static const char *content(void) {
  static char text[1 << 20];
  FILE *file = fopen(path, "r");
  size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file != NULL) fclose(file);
  text[len] = '\0';
  return text;
}

static size_t count_files(void) {
  char *command = mem_format("exit $(ls -A '%s' | wc -l)", dir);
  int status = system(command);
  free(command);
  return (size_t)WEXITSTATUS(status);
}

static void writes_the_types_and_makes_the_folder(void **state) {
  (void)state;
  child_run(&child, write_types);
  child_expect_exit(&child, 0);
  assert_non_null(strstr(child.text, path));
  assert_memory_equal(content(), HEAD, strlen(HEAD));
  assert_non_null(strstr(content(), "---@class"));
  assert_int_equal(count_files(), 1);
}

static void replaces_what_it_has_written(void **state) {
  (void)state;
  scripts_write("types/tidegate.lua", HEAD "0.0.1\nold");
  child_run(&child, write_types);
  child_expect_exit(&child, 0);
  assert_null(strstr(content(), "\nold"));
  assert_non_null(strstr(content(), "---@class"));
  assert_int_equal(count_files(), 1);
}

static void the_file_of_others_stays(void **state) {
  (void)state;
  static const char *const texts[] = {"", "return {}", "---@meta tidegate\n-- Written by hand"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    scripts_write("types/tidegate.lua", texts[i]);
    expect_refused("there is a file of yours already; it was not touched");
    assert_string_equal(content(), texts[i]);
    assert_int_equal(count_files(), 1);
  }
}

static void failures_are_named(void **state) {
  (void)state;
  scripts_write("file", "");
  snprintf(dir, sizeof dir, "%s/file", scripts_dir);
  snprintf(path, sizeof path, "%s/tidegate.lua", dir);
  expect_refused("Not a directory");
  snprintf(dir, sizeof dir, "%s/no/such", scripts_dir);
  snprintf(path, sizeof path, "%s/tidegate.lua", dir);
  expect_refused("No such file or directory");
}

// As a disk that is full: a file may have 1,000 bytes.
static void write_to_full_disk(void) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, before.rlim_max});
  int status = types_file_write(dir);
  setrlimit(RLIMIT_FSIZE, &before);
  exit(status);
}

static void one_that_cannot_be_written_whole_leaves_the_old(void **state) {
  (void)state;
  scripts_write("types/tidegate.lua", HEAD "0.0.1\nold");
  child_run(&child, write_to_full_disk);
  child_expect_exit(&child, 1);
  assert_non_null(strstr(child.text, "tidegate.lua: File too large\n"));
  assert_string_equal(content(), HEAD "0.0.1\nold");
  assert_int_equal(count_files(), 1);
}

static void types_are_known_by_their_first_line(void **state) {
  (void)state;
  assert_true(types_file_is_meta(slice_str("---@meta")));
  assert_true(types_file_is_meta(slice_str("---@meta tidegate\n")));
  static const char *const others[] = {"", "---@met", "-- @meta", " ---@meta", "\n---@meta"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(types_file_is_meta(slice_str(others[i])));
}

#define types_test(name) cmocka_unit_test_setup_teardown(name, open_dir, close_dir)

int main(void) {
  const struct CMUnitTest tests[] = {
      types_test(writes_the_types_and_makes_the_folder),
      types_test(replaces_what_it_has_written),
      types_test(the_file_of_others_stays),
      types_test(failures_are_named),
      types_test(one_that_cannot_be_written_whole_leaves_the_old),
      cmocka_unit_test(types_are_known_by_their_first_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
