// The watchdog over a real thread and real CPU time: who computes for too long is ended,
// who waits, or hides in a pcall or a coroutine, is not spared or struck wrongly.
#include "script/vm/watchdog.h"

#include "script/vm/task_module.h"

enum { HANDLER_MS = 20 };

static const char message[] = "the handler ran for longer than handler_time allows without waiting";

static int open_watched(void **state) {
  int failed = open_vm(state);
  if (failed) return failed;
  watchdog_start(HANDLER_MS);
  watchdog_add(vm, task_running);
  return 0;
}

static int close_watched(void **state) {
  watchdog_remove(vm);
  watchdog_remove(vm);  // is gone already
  watchdog_stop();
  return close_vm(state);
}

static void expect_ended(const char *text) {
  struct outcome outcome = run_task(text);
  assert_false(outcome.ok);
  if (strstr(outcome.error, message) == NULL) fail_msg("%s: %s", text, outcome.error);
}

static void ends_who_computes_too_long(void **state) {
  (void)state;
  expect_ended("while true do end");
  assert_true(fake_log_has("error test:1: the handler ran"));
  expect_ended("pcall(function() while true do end end) note('hidden')");
  expect_ended("while true do pcall(function() while true do end end) end");
  expect_noted("");
  // The next is not struck.
  assert_true(run_task("note('next')").ok);
  expect_noted("next\n");
}

static void a_nested_run_is_part_of_the_outer(void **state) {
  (void)state;
  unsigned long before = watchdog_enter(vm, vm->L), serial = vm->entry_serial;
  assert_int_equal(serial, before + 1);
  assert_true(run_task("note('inner')").ok);
  assert_int_equal(vm->entry_serial, serial);
  watchdog_leave(vm, before, vm->L);
  assert_int_equal(vm->entry_serial, before + 2);
  buf_clear(&notes);
}

static int lua_guard(lua_State *L) {
  watchdog_guard_coroutine(lua_tothread(L, 1));
  return 0;
}

static void coroutines_of_the_script_are_no_hiding_place(void **state) {
  (void)state;
  lua_register(vm->L, "guard", lua_guard);
  expect_ended(
      "local co = coroutine.create(function() while true do end end)\n"
      "guard(co)\n"
      "local ok, why = coroutine.resume(co) error(why, 0)");
}

static void work_in_pieces_is_allowed(void **state) {
  (void)state;
  struct outcome outcome;
  start_task(&outcome,
             "for i = 1, 6 do\n"
             "  local stop = os.clock() + 0.008 while os.clock() < stop do end\n"
             "  wait()\n"
             "end");
  for (int i = 0; i < 6; i++) task_wake_all(&waiters, NULL, NULL);
  assert_true(outcome.ended == 1 && outcome.ok);
}

#define watched_test(name) cmocka_unit_test_setup_teardown(name, open_watched, close_watched)

int main(void) {
  const struct CMUnitTest tests[] = {
      watched_test(ends_who_computes_too_long),
      watched_test(a_nested_run_is_part_of_the_outer),
      watched_test(coroutines_of_the_script_are_no_hiding_place),
      watched_test(work_in_pieces_is_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
