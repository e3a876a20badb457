// What the watch does where the kernel does not report changes: no inotify, folders that
// may not be watched, events that were lost.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "net/fake_log.h"
#include "script/reload/watch_fixture.h"

enum {
  MANY = 20000,  // more events than the kernel keeps (16,384)
  ROUNDS = 5     // on a machine that stalls, until one is good
};

static void polls(void **state) {
  (void)state;
  mode = "poll";
  scripts_write("a.lua", "1");
  start();
  scripts_write("a.lua", "2");
  expect_changes(1);
  scripts_write("new/b.lua", "2");
  expect_changes(2);
  stop();
}

// True when the file was taken once it was back, which is long before its absence is believed.
static bool is_taken_when_back(void) {
  changes = 0;
  scripts_write("a.lua", "1");
  start();
  char *path = mem_format("%s/a.lua", scripts_dir);
  assert_int_equal(unlink(path), 0);
  free(path);
  run_until(0, 2 * INTERVAL_MS);
  bool is_early = changes > 0;
  scripts_write("a.lua", "2");
  run_until(1, 4000);  // less than all scripts may be missing
  stop();
  return !is_early && changes == 1;
}

static void polls_while_it_waits(void **state) {
  (void)state;
  mode = "poll";
  for (int i = 0; i < ROUNDS; i++) {
    if (is_taken_when_back()) return;
  }
  fail_msg("not taken within 4 s, %d times", ROUNDS);
}

static void is_off(void **state) {
  (void)state;
  mode = "off";
  start();
  scripts_write("a.lua", "1");
  run_until(0, 5 * INTERVAL_MS);
  assert_int_equal(changes, 0);
  stop();
}

static void polls_without_inotify(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  struct rlimit before, low;
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  low = (struct rlimit){(rlim_t)next, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  struct watch_options options = {scripts_dir, NULL, "auto", DEBOUNCE_MS, INTERVAL_MS};
  watch = watch_start(&loop, &options, NULL, on_change, &changes);
  setrlimit(RLIMIT_NOFILE, &before);
  assert_true(fake_log_has("looking for changed scripts every 0.05 s: no descriptor"));
  run_until(0, 2 * INTERVAL_MS);
  scripts_write("a.lua", "2");
  expect_changes(1);
  stop();
}

static int open_script(const char *name) {
  char *path = mem_format("%s/%s", scripts_dir, name);
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0);
  free(path);
  return fd;
}

static void waits_for_descriptors(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  start();
  struct rlimit before, low;
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  low = (struct rlimit){(rlim_t)next, before.rlim_max};
  int file = open_script("a.lua");
  setrlimit(RLIMIT_NOFILE, &low);
  assert_int_equal(write(file, "2", 1), 1);
  close(file);
  run_until(0, 4 * INTERVAL_MS);
  assert_int_equal(changes, 0);
  setrlimit(RLIMIT_NOFILE, &before);
  expect_changes(1);
  stop();
}

// As another user, where the tests are root's: root may watch everything.
static void polls_where_a_folder_may_not_be_watched(void **state) {
  (void)state;
  scripts_write("locked/app/a.lua", "1");
  char *locked = mem_format("%s/locked", scripts_dir), *app = mem_format("%s/app", locked);
  assert_int_equal(chmod(scripts_dir, 0755), 0);
  assert_int_equal(chmod(app, 0755), 0);
  assert_int_equal(chmod(locked, 0111), 0);
  uid_t me = geteuid();
  if (me == 0) assert_int_equal(seteuid(65534), 0);
  struct watch_options options = {app, NULL, "auto", DEBOUNCE_MS, INTERVAL_MS};
  watch = watch_start(&loop, &options, NULL, on_change, &changes);
  run_until(0, 2 * INTERVAL_MS);
  if (me == 0) assert_int_equal(seteuid(0), 0);
  assert_true(fake_log_has("looking for changed scripts every 0.05 s: changes in "));
  assert_true(fake_log_has("/locked are not reported: Permission denied"));
  assert_int_equal(chmod(locked, 0755), 0);
  scripts_write("locked/app/a.lua", "2");
  expect_changes(1);
  stop();
  free(locked);
  free(app);
}

// A file system has a lost+found that only root may read: no reason to poll, nor to wait longer.
static void does_not_poll_for_a_folder_that_it_may_not_read(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  scripts_write("lost+found/b.lua", "1");
  char *lost = mem_format("%s/lost+found", scripts_dir);
  assert_int_equal(chmod(scripts_dir, 0755), 0);
  assert_int_equal(chmod(lost, 0), 0);
  uid_t me = geteuid();
  if (me == 0) assert_int_equal(seteuid(65534), 0);
  start();
  if (me == 0) assert_int_equal(seteuid(0), 0);
  assert_false(fake_log_has("looking for changed scripts"));
  assert_int_equal(chmod(lost, 0755), 0);
  expect_changes(1);
  scripts_write("lost+found/b.lua", "2");
  expect_changes(2);
  stop();
  free(lost);
}

// As containers do it with single files. Only who may mount can test it.
static void sees_who_writes_a_mounted_file_by_its_other_name(void **state) {
  (void)state;
  scripts_write("real", "1");
  scripts_write("app/a.lua", "1");
  char *real = mem_format("%s/real", scripts_dir), *app = mem_format("%s/app", scripts_dir);
  char *mounted = mem_format("%s/a.lua", app);
  bool is_able = unshare(CLONE_NEWNS) == 0 &&
                 mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0 &&
                 mount(real, mounted, NULL, MS_BIND, NULL) == 0;
  if (is_able) {
    struct watch_options options = {app, NULL, mode, DEBOUNCE_MS, INTERVAL_MS};
    watch = watch_start(&loop, &options, NULL, on_change, &changes);
    run_until(0, 5 * DEBOUNCE_MS);
    scripts_write("real", "2");
    run_until(1, PATIENCE_MS);
    stop();
    umount(mounted);
  }
  free(real);
  free(app);
  free(mounted);
  if (!is_able) skip();
  assert_int_equal(changes, 1);
}

static void looks_again_when_events_were_lost(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  scripts_write("b.lua", "1");
  start();
  int a = open_script("a.lua"), b = open_script("b.lua");
  for (int i = 0; i < MANY; i++) assert_int_equal(pwrite(i % 2 == 0 ? a : b, "2", 1, 0), 1);
  close(a);
  close(b);
  scripts_write("new/c.lua", "1");
  expect_changes(1);
  assert_true(fake_log_has("events of changed files were lost"));
  scripts_write("new/c.lua", "2");
  expect_changes(2);
  stop();
}

#define watch_test(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void) {
  const struct CMUnitTest tests[] = {
      watch_test(polls),
      watch_test(polls_while_it_waits),
      watch_test(is_off),
      watch_test(polls_without_inotify),
      watch_test(waits_for_descriptors),
      watch_test(polls_where_a_folder_may_not_be_watched),
      watch_test(does_not_poll_for_a_folder_that_it_may_not_read),
      watch_test(looks_again_when_events_were_lost),
      watch_test(sees_who_writes_a_mounted_file_by_its_other_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
