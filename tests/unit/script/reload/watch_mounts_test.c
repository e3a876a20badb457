// What is mounted over a watched folder. Only who may mount can test it: the process has a mount
// namespace of its own then.
#include <sched.h>
#include <sys/mount.h>

#include "script/reload/mounts.h"
#include "script/reload/watch_fixture.h"

static char *path_of(const char *name) { return mem_format("%s/%s", scripts_dir, name); }

static bool may_mount(void) {
  return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0;
}

static void put_over(const char *from, const char *to) {
  char *source = path_of(from), *target = path_of(to);
  assert_int_equal(mount(source, target, NULL, MS_BIND, NULL), 0);
  free(source);
  free(target);
}

static void take_off(const char *name) {
  char *path = path_of(name);
  assert_int_equal(umount2(path, MNT_DETACH), 0);
  free(path);
}

static void watch_app(void) {
  char *app = path_of("app");
  struct watch_options options = {app, NULL, mode, DEBOUNCE_MS, 1000000};
  watch = watch_start(&loop, &options, NULL, on_change, &changes);
  run_until(0, 2 * DEBOUNCE_MS);
  free(app);
}

// Mounts over `place`, a folder that is watched or above one that is.
static void sees_a_mount_over(const char *place, const char *file) {
  char *mounted = mem_format("%s/%s", place, file), *volume = mem_format("volume/%s", file);
  scripts_write(mounted, "1");
  scripts_write(volume, "2");
  watch_app();
  put_over("volume", place);
  expect_changes(1);
  scripts_write(volume, "3");  // what was mounted is watched from then on
  expect_changes(2);
  scripts_write(mounted, "4");
  expect_changes(3);
  take_off(place);
  expect_changes(4);
  scripts_write(mounted, "5");
  expect_changes(5);
  stop();
  free(mounted);
  free(volume);
}

static void sees_what_is_mounted_over_the_folder(void **state) {
  (void)state;
  if (!may_mount()) skip();
  sees_a_mount_over("app", "a.lua");
}

static void sees_what_is_mounted_over_a_folder_in_it(void **state) {
  (void)state;
  if (!may_mount()) skip();
  sees_a_mount_over("app/sub", "a.lua");
}

static void sees_what_is_mounted_over_a_folder_above(void **state) {
  (void)state;
  if (!may_mount()) skip();
  scripts_write("app/a.lua", "1");
  scripts_write("above/app/a.lua", "2");
  watch_app();
  put_over("above", "");
  expect_changes(1);
  take_off("");
  expect_changes(2);
  stop();
}

// Mounts elsewhere, and of the same scripts, are looked at and are no change.
static void other_mounts_change_nothing(void **state) {
  (void)state;
  if (!may_mount()) skip();
  scripts_write("app/a.lua", "1");
  scripts_write("other/b.lua", "1");
  scripts_write("volume/b.lua", "2");
  watch_app();
  put_over("volume", "other");
  put_over("app", "app");
  run_until(0, 30 * DEBOUNCE_MS);
  assert_int_equal(changes, 0);
  scripts_write("app/a.lua", "2");
  expect_changes(1);
  take_off("app");
  take_off("other");
  stop();
}

static unsigned reports;
static void count(void *arg) { ++*(unsigned *)arg; }

// It is level-triggered: one that is never taken back would keep the loop busy.
static void reports_a_change_once(void **state) {
  (void)state;
  if (!may_mount()) skip();
  scripts_write("other/b.lua", "1");
  struct mounts *mounts = mounts_open(&loop, count, &reports);
  assert_non_null(mounts);
  run_until(0, DEBOUNCE_MS);
  assert_int_equal(reports, 0);
  put_over("other", "other");
  run_until(0, DEBOUNCE_MS);
  assert_int_equal(reports, 1);
  take_off("other");
  run_until(0, DEBOUNCE_MS);
  assert_int_equal(reports, 2);
  mounts_close(mounts);
  mounts_close(NULL);
}

#define mounts_test(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void) {
  const struct CMUnitTest tests[] = {
      mounts_test(sees_what_is_mounted_over_the_folder),
      mounts_test(sees_what_is_mounted_over_a_folder_in_it),
      mounts_test(sees_what_is_mounted_over_a_folder_above),
      mounts_test(other_mounts_change_nothing),
      mounts_test(reports_a_change_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
