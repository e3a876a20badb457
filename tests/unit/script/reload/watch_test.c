// Watching a real folder, and the control socket, both ends in one process.
#include "script/reload/watch.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "script/reload/control.h"
#include "script/reload/watch_fixture.h"

static void tells_once_of_what_changes_together(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  scripts_write("sub/b.lua", "1");
  start();
  scripts_write("a.lua", "2");
  scripts_write("sub/b.lua", "2");
  scripts_write("c.lua", "2");
  expect_changes(1);
  // What is new is watched, too.
  scripts_write("new/folder/d.lua", "2");
  expect_changes(2);
  scripts_write("new/folder/d.lua", "3");
  expect_changes(3);
  stop();
}

static void watches_the_folder_of_the_framework(void **state) {
  (void)state;
  char *app = mem_format("%s/.app", scripts_dir);
  scripts_write(".app/a.lua", "1");
  scripts_write("lib/b.lua", "1");
  struct watch_options options = {app, scripts_dir, mode, DEBOUNCE_MS, INTERVAL_MS};
  watch = watch_start(&loop, &options, NULL, on_change, &changes);
  run_until(0, 2 * DEBOUNCE_MS);
  scripts_write("lib/b.lua", "2");
  expect_changes(1);
  scripts_write("new/c.lua", "2");
  expect_changes(2);
  scripts_write(".app/a.lua", "2");
  expect_changes(3);
  stop();
  free(app);
}

static void ignores_hidden_files_and_backups(void **state) {
  (void)state;
  start();
  scripts_write(".swap", "1");
  scripts_write("a.lua~", "1");
  run_until(0, 5 * DEBOUNCE_MS);
  assert_int_equal(changes, 0);
  stop();
}

static void waits_for_what_is_written_into_an_empty_file(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  start();
  scripts_write("a.lua", "");
  run_until(0, 5 * DEBOUNCE_MS);
  assert_int_equal(changes, 0);
  scripts_write("a.lua", "2");
  expect_changes(1);
  // One that stays empty is meant to be.
  scripts_write("a.lua", "");
  expect_changes(2);
  stop();
}

static void waits_for_who_has_made_a_file_and_not_written_yet(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  start();
  char *path = mem_format("%s/a.lua", scripts_dir);
  assert_int_equal(unlink(path), 0);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  assert_true(fd >= 0);
  free(path);
  run_until(0, 2500);
  assert_int_equal(changes, 0);
  assert_int_equal(write(fd, "2", 1), 1);
  close(fd);
  expect_changes(1);
  stop();
}

// The kernel reports that as if somebody wrote into the folder, and went on writing.
static void does_not_wait_for_who_sets_the_time_of_a_folder(void **state) {
  (void)state;
  scripts_write("sub/a.lua", "1");
  start();
  scripts_write("sub/a.lua", "2");
  const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
  char *path = mem_format("%s/sub", scripts_dir);
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  free(path);
  expect_changes(1);
  assert_false(fake_log_has("has been open for writing"));
  stop();
}

static int create(const char *name, const char *text) {
  char *path = mem_format("%s/%s", scripts_dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  assert_true(fd >= 0);
  free(path);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  return fd;
}

static void move(const char *from, const char *to) {
  char *source = mem_format("%s/%s", scripts_dir, from);
  char *target = mem_format("%s/%s", scripts_dir, to);
  assert_int_equal(rename(source, target), 0);
  free(source);
  free(target);
}

// As who writes half of it, renames it, and writes the rest.
static void waits_for_what_is_renamed_before_it_is_closed(void **state) {
  (void)state;
  static const char *const names[] = {"a.tmp", ".a.lua.swp", "sub/a.lua~", "sub/b.lua"};
  scripts_write("a.lua", "1");
  scripts_write("sub/c.lua", "1");
  start();
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    char text[] = {(char)('a' + i)};
    int fd = create(names[i], "ret");
    move(names[i], "a.lua");
    run_until(0, 10 * DEBOUNCE_MS);
    assert_int_equal(changes, i);
    assert_int_equal(write(fd, text, 1), 1);
    close(fd);
    expect_changes(i + 1);
  }
  stop();
}

// A log beside the scripts is always open.
static void does_not_wait_for_who_writes_other_files(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  start();
  int log = create("log.txt", "1");
  run_until(0, DEBOUNCE_MS);
  move("log.txt", "log.old");
  close(create("a.tmp", "2"));
  move("a.tmp", "a.lua");
  expect_changes(1);
  assert_int_equal(write(log, "2", 1), 1);
  scripts_write("a.lua", "3");
  expect_changes(2);
  assert_false(fake_log_has("has been open for writing"));
  close(log);
  stop();
}

static void forgets_folders_that_are_gone(void **state) {
  (void)state;
  scripts_write("a.lua", "1");
  scripts_write("sub/b.lua", "1");
  start();
  char *path = mem_format("rm -rf '%s/sub'", scripts_dir);
  assert_int_equal(system(path), 0);
  free(path);
  expect_changes(1);
  scripts_write("sub/b.lua", "2");
  expect_changes(2);
  stop();
}

// ---- the control socket --------------------------------------------------------

static struct control *control;
static int status = -1;
static bool answers_ok = true;

static void on_reload(void *arg, int fd) {
  assert_ptr_equal(arg, &changes);
  changes++;
  control_answer(fd, answers_ok, answers_ok ? "generation 2 is live" : "reload failed");
}

static char printed[256];

// What the client prints goes to a file meanwhile.
static void *ask(void *arg) {
  (void)arg;
  int file = memfd_create("printed", 0), out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
  fflush(stdout);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  status = control_reload(scripts_dir);
  fflush(stdout);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  ssize_t len = pread(file, printed, sizeof printed - 1, 0);
  printed[len > 0 ? len : 0] = '\0';
  close(file);
  close(out);
  close(err);
  return NULL;
}

static int ask_and_answer(void) {
  pthread_t client;
  unsigned before = changes;
  pthread_create(&client, NULL, ask, NULL);
  run_until(before + 1, PATIENCE_MS);
  pthread_join(client, NULL);
  return status;
}

static void the_client_is_told_how_it_went(void **state) {
  (void)state;
  ask(NULL);
  assert_int_equal(status, 1);
  assert_non_null(strstr(printed, "tidegate: no server serves /tmp/"));
  control = control_start(&loop, scripts_dir, on_reload, &changes);
  assert_non_null(control);
  assert_int_equal(ask_and_answer(), 0);
  assert_string_equal(printed, "generation 2 is live\n");
  answers_ok = false;
  assert_int_equal(ask_and_answer(), 1);
  assert_string_equal(printed, "tidegate: reload failed\n");
  answers_ok = true;
  control_stop(control);
}

// The number of its folder is another server's, which has not missed its own yet.
static void a_server_is_found_by_its_path(void **state) {
  (void)state;
  char *other = mem_format("%s/link", scripts_dir);
  assert_int_equal(symlink(".", other), 0);
  struct control *first = control_start(&loop, other, on_reload, NULL);
  assert_non_null(first);
  control = control_start(&loop, scripts_dir, on_reload, &changes);
  assert_non_null(control);
  assert_int_equal(ask_and_answer(), 0);
  control_stop(control);
  control_stop(first);
  free(other);
}

static void a_successor_takes_the_names_over(void **state) {
  (void)state;
  struct control *first = control_start(&loop, scripts_dir, on_reload, NULL);
  control = control_start(&loop, scripts_dir, on_reload, &changes);
  assert_true(fake_log_has("another one serves the same folder"));
  control_stop(first);
  for (int i = 0; i < 600 && !fake_log_has("reaches this server now"); i++) run_until(0, 100);
  assert_true(fake_log_has("reaches this server now"));
  assert_int_equal(ask_and_answer(), 0);
  control_stop(control);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(tells_once_of_what_changes_together, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(watches_the_folder_of_the_framework, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(ignores_hidden_files_and_backups, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(waits_for_what_is_written_into_an_empty_file, open_loop,
                                      close_loop),
      cmocka_unit_test_setup_teardown(waits_for_who_has_made_a_file_and_not_written_yet, open_loop,
                                      close_loop),
      cmocka_unit_test_setup_teardown(does_not_wait_for_who_sets_the_time_of_a_folder, open_loop,
                                      close_loop),
      cmocka_unit_test_setup_teardown(waits_for_what_is_renamed_before_it_is_closed, open_loop,
                                      close_loop),
      cmocka_unit_test_setup_teardown(does_not_wait_for_who_writes_other_files, open_loop,
                                      close_loop),
      cmocka_unit_test_setup_teardown(forgets_folders_that_are_gone, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(the_client_is_told_how_it_went, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(a_server_is_found_by_its_path, open_loop, close_loop),
      cmocka_unit_test_setup_teardown(a_successor_takes_the_names_over, open_loop, close_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
