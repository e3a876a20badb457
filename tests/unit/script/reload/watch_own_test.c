// Scripts that change while they load: by their own doing, which must come to rest, or because
// somebody saves them in that moment, which must not be missed.
#include "script/reload/watch_fixture.h"

static unsigned loads;
static const char *saved;  // in the middle of the next load

static void write_number(const char *name) {
  char *text = mem_format("return %u", ++loads);
  scripts_write(name, text);
  free(text);
}

static void write_one(void) {
  write_number("made.lua");
  if (saved != NULL) scripts_write(saved, "2");
  saved = NULL;
}

static void write_another(void) {
  char *name = mem_format("made%u.lua", loads % 50);
  write_number(name);
  free(name);
}

static int open_own(void **state) {
  loads = 0;
  saved = NULL;
  return open_loop(state);
}

// Sets off the first load, and waits until the next one is put off.
static void start_with(void (*write)(void), unsigned expected) {
  scripts_write("a.lua", "1");
  while_loading = write;
  start();
  scripts_write("b.lua", "1");
  expect_changes(expected);
  run_until(0, 10 * DEBOUNCE_MS);
  assert_int_equal(changes, expected);
  assert_true(fake_log_has("loading them again in 5 s"));
}

static void a_script_that_writes_scripts_comes_to_rest(void **state) {
  (void)state;
  start_with(write_one, 4);
  stop();
}

static void one_that_writes_other_files_each_time_does_too(void **state) {
  (void)state;
  start_with(write_another, 4);
  stop();
}

static void one_that_changes_many_files_in_turn_does_too(void **state) {
  (void)state;
  for (loads = 0; loads < 50;) write_another();
  start_with(write_another, 11);
  stop();
}

static void a_save_beside_it_is_not_missed(void **state) {
  (void)state;
  start_with(write_one, 4);
  saved = "a.lua";
  scripts_write("b.lua", "2");
  expect_changes(6);
  run_until(0, 10 * DEBOUNCE_MS);
  assert_int_equal(changes, 6);
  stop();
}

static void saves_do_not_make_it_wait_longer(void **state) {
  (void)state;
  start_with(write_one, 4);
  for (unsigned i = 1; i <= 3; i++) {
    char *text = mem_format("return %u", i);
    scripts_write("b.lua", text);
    free(text);
    expect_changes(4 + i);
  }
  assert_false(fake_log_has("loading them again in 10 s"));
  expect_changes(8);  // by itself
  assert_true(fake_log_has("loading them again in 10 s"));
  stop();
}

// ---- saves while the scripts are read --------------------------------------------

static void save_once(void) {
  while_reading = NULL;
  scripts_write("a.lua", "");
  scripts_write("a.lua", "return 2");
}

static void what_is_saved_while_it_is_read_is_read_again(void **state) {
  (void)state;
  static const char *const modes[] = {"auto", "poll"};
  for (int i = 0; i < 2; i++) {
    changes = disturbed = 0;
    mode = modes[i];
    scripts_write("a.lua", "return 1");
    scripts_write("b.lua", "return 1");
    start();
    while_reading = save_once;
    scripts_write("b.lua", "return 22");
    expect_changes(1);
    assert_int_equal(disturbed, 1);
    run_until(0, 10 * DEBOUNCE_MS);
    assert_int_equal(changes, 1);
    stop();
  }
}

static void save_always(void) { write_number("b.lua"); }

static void what_is_saved_whenever_it_is_read_is_taken_in_the_end(void **state) {
  (void)state;
  // A machine that stalls for 1 s before the look brings the end at once: again.
  for (int i = 0; i < 5 && disturbed == 0; i++) {
    changes = 0;
    while_reading = NULL;
    scripts_write("a.lua", "return 1");
    start();
    while_reading = save_always;
    scripts_write("a.lua", "return 2");
    expect_changes(1);
    stop();
  }
  assert_true(disturbed > 0);
}

#define watch_test(name) cmocka_unit_test_setup_teardown(name, open_own, close_loop)

int main(void) {
  const struct CMUnitTest tests[] = {
      watch_test(a_script_that_writes_scripts_comes_to_rest),
      watch_test(one_that_writes_other_files_each_time_does_too),
      watch_test(one_that_changes_many_files_in_turn_does_too),
      watch_test(a_save_beside_it_is_not_missed),
      watch_test(saves_do_not_make_it_wait_longer),
      watch_test(what_is_saved_while_it_is_read_is_read_again),
      watch_test(what_is_saved_whenever_it_is_read_is_taken_in_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
