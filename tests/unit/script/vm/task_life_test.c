// Tasks: from start to end, with all that can go wrong in between.
#include "script/vm/task.h"

#include "script/vm/task_module.h"

static void runs_to_its_end(void **state) {
  (void)state;
  struct outcome outcome = run_task("note('runs', coroutine.isyieldable())");
  assert_true(outcome.ok);
  assert_string_equal(outcome.error, "");
  expect_noted("runs true\n");
  assert_true(list_is_empty(&tasks_of(vm)->all));
  assert_null(vm->running);
}

static void a_failure_is_logged_with_traceback_and_owner(void **state) {
  (void)state;
  struct outcome outcome = run_task("local function deep() error('on purpose') end\ndeep()");
  assert_false(outcome.ok);
  assert_string_equal(outcome.error, "test:1: on purpose");
  assert_true(fake_log_has("error test:1: on purpose\nstack traceback:"));
  assert_true(fake_log_has("in upvalue 'deep'") || fake_log_has("in local 'deep'"));
  assert_true(fake_log_has("\nowner=test\n"));
  assert_string_equal(run_task("error({})").error, "test:1: (error object is a table value)");
  assert_string_equal(run_task("error(12.5)").error, "test:1: 12.5");
  assert_string_equal(run_task("error(nil)").error, "test:1: (error object is a nil value)");
  assert_non_null(strstr(run_task("x x").error, "syntax error"));
}

static void quiet_owners_have_no_log(void **state) {
  (void)state;
  static const struct task_owner quiet = {.ended = on_outcome, .is_quiet = true};
  struct outcome outcome = {0};
  task_start(task_new(vm, &quiet, &outcome), push_text, "error('on purpose', 0)");
  assert_string_equal(outcome.error, "test:1: on purpose");
  assert_false(fake_log_has("on purpose"));
}

static int push_three(lua_State *L, void *arg) {
  lua_pushstring(L, arg);
  lua_pushinteger(L, 2);
  lua_pushnil(L);
  return 3;
}

static void waits_until_it_is_woken(void **state) {
  (void)state;
  struct outcome a, b;
  start_task(&a, "note('a', wait())");
  start_task(&b, "note('b', wait_then())");
  expect_noted("");
  assert_int_equal(a.ended + b.ended, 0);
  task_wake_all(&waiters, push_three, "x");
  expect_noted("a x 2 nil\nb then x 2 nil\n");
  assert_true(a.ok && b.ok && list_is_empty(&waiters));
  start_task(&a, "note(wait()) note(wait())");
  task_wake_all(&waiters, task_push_true, NULL);
  task_wake_all(&waiters, task_push_failure, "closed");
  expect_noted("true\nnil closed closed\n");
  start_task(&a, "note(select('#', wait()))");
  task_wake_all(&waiters, NULL, NULL);
  expect_noted("0\n");
}

static void who_waits_again_is_not_woken_twice(void **state) {
  (void)state;
  struct outcome outcome;
  start_task(&outcome, "note(wait()) note(wait())");
  task_wake_all(&waiters, task_push_true, NULL);
  expect_noted("true\n");
  assert_int_equal(outcome.ended, 0);
  task_wake_all(&waiters, task_push_true, NULL);
  assert_int_equal(outcome.ended, 1);
  buf_clear(&notes);
}

static void a_wait_has_an_end(void **state) {
  (void)state;
  struct outcome outcome;
  start_task(&outcome, "note(wait(0.5)) note(wait(0)) note(wait(10))");
  fake_wait_ms(499);
  expect_noted("");
  fake_wait_ms(1);
  expect_noted("nil timeout timeout\n");
  fake_wait_ms(1);
  expect_noted("nil timeout timeout\n");
  task_wake_all(&waiters, task_push_true, NULL);
  expect_noted("true\n");
  fake_wait_ms(20000);  // its timer was taken back
  assert_int_equal(outcome.ended, 1);
  outcome = run_task("note(pcall(wait, -1)) note(pcall(wait, 'x'))");
  assert_true(outcome.ok);
  buf_append_char(&notes, '\0');
  assert_non_null(strstr(notes.data, "must be a number of seconds, not negative"));
  assert_non_null(strstr(notes.data, "number expected, got string"));
}

static void waits_only_where_it_can(void **state) {
  (void)state;
  struct outcome outcome = run_task("coroutine.wrap(function() wait() end)()");
  assert_non_null(strstr(outcome.error, "cannot wait inside a coroutine of the script's own"));
  outcome = run_task("string.gsub('x', 'x', function() wait() end)");
  assert_non_null(strstr(outcome.error, "cannot wait here: in a function that was called by one"));
  vm->loading = (struct generation *)&outcome;  // only whether there is one counts
  outcome = run_task("wait()");
  vm->loading = NULL;
  assert_non_null(strstr(outcome.error, "cannot wait while scripts load"));
  assert_true(list_is_empty(&waiters));
  // In a pcall it can.
  start_task(&outcome, "note(pcall(wait))");
  task_wake_all(&waiters, task_push_true, NULL);
  expect_noted("true true\n");
}

static void a_yield_of_the_script_is_a_mistake(void **state) {
  (void)state;
  struct outcome outcome = run_task("coroutine.yield(1, 2)");
  assert_string_equal(outcome.error,
                      "test:1: coroutine.yield was called outside a coroutine of the script's own");
  outcome = run_task("local c = coroutine.wrap(function() coroutine.yield(5) end) note(c())");
  assert_true(outcome.ok);
  expect_noted("5\n");
}

static void starts_within_another(void **state) {
  (void)state;
  struct outcome outer, inner;
  struct task *task;
  start_task(&outer, "wait()");
  task = list_entry(tasks_of(vm)->all.next, struct task, link);
  vm->running = task;  // as when its handler calls a binding
  start_task(&inner, "note('inner') wait()");
  assert_ptr_equal(vm->running, task);
  vm->running = NULL;
  expect_noted("inner\n");
  task_wake_all(&waiters, task_push_true, NULL);
  assert_int_equal(outer.ended + inner.ended, 2);
}

// Wakes the task that waits longest.
static int lua_wake_one(lua_State *L) {
  (void)L;
  struct list *node = list_pop(&waiters);
  if (node != NULL) task_wake(list_entry(node, struct task, wait_link), NULL, NULL);
  return 0;
}

// Each wakes the next before it ends: the C stack must not grow with their number.
static void a_chain_that_is_too_deep_is_an_error(void **state) {
  (void)state;
  enum { TASKS = 5000 };
  static struct outcome outcomes[TASKS];
  unsigned ended = 0, failed = 0;
  lua_register(vm->L, "wake_one", lua_wake_one);
  for (int i = 0; i < TASKS; i++)
    start_task(&outcomes[i], "wait() string.gsub('x', 'x', function() wake_one() end)");
  while (!list_is_empty(&waiters)) lua_wake_one(vm->L);
  for (int i = 0; i < TASKS; i++) {
    ended += outcomes[i].ended;
    if (outcomes[i].ok) continue;
    failed++;
    assert_non_null(strstr(outcomes[i].error, "C stack overflow"));
  }
  assert_int_equal(ended, TASKS);
  assert_true(failed > 0 && failed < TASKS / 20);
}

static void is_killed_while_it_waits(void **state) {
  (void)state;
  struct outcome outcome;
  struct task *task = start_task(&outcome,
                                 "local x <close> = setmetatable({}, { __close = function(_, e)\n"
                                 "  note('closed', e) end })\n"
                                 "wait(1) note('never')");
  task_kill(task);
  assert_true(outcome.ended == 1 && outcome.ok);
  expect_noted("closed nil\n");
  assert_true(list_is_empty(&waiters) && list_is_empty(&tasks_of(vm)->all));
  fake_wait_ms(2000);
  expect_noted("");
  task = start_task(&outcome, "wait()");
  task_fail(task, "no reason");
  assert_true(outcome.ended == 1 && !outcome.ok);
  assert_string_equal(outcome.error, "no reason");
  // Neither harms who comes next.
  assert_true(run_task("note('next')").ok);
  expect_noted("next\n");
}

static void errors_while_closing_harm_nobody(void **state) {
  (void)state;
  static const char text[] =
      "local x <close> = setmetatable({}, { __close = function() note('first') end })\n"
      "local y <close> = setmetatable({}, { __close = function() error('closing') end })\n";
  char *failing = mem_format("%serror('body')", text), *waiting = mem_format("%swait()", text);
  struct outcome outcome = run_task(failing);
  assert_false(outcome.ok);
  expect_noted("first\n");
  start_task(&outcome, waiting);
  task_kill(list_entry(tasks_of(vm)->all.next, struct task, link));
  assert_int_equal(outcome.ended, 1);
  expect_noted("first\n");
  assert_true(run_task("note('next')").ok);
  expect_noted("next\n");
  // Neither can one that is being closed wait.
  outcome = run_task(
      "local x <close> = setmetatable({}, { __close = function()\n"
      "  note(pcall(wait)) end })\nerror('body')");
  assert_false(outcome.ok);
  assert_true(list_is_empty(&waiters));
  free(failing);
  free(waiting);
}

static void coroutines_are_used_again_unless_they_failed(void **state) {
  (void)state;
  run_task("note(1)");
  assert_int_equal(tasks_of(vm)->idle_count, 1);
  const struct task *first = tasks_of(vm)->idle;
  const lua_State *co = first->co;
  run_task("note(2)");
  assert_ptr_equal(tasks_of(vm)->idle, first);
  assert_ptr_equal(tasks_of(vm)->idle->co, co);
  run_task("error('on purpose')");
  assert_int_equal(tasks_of(vm)->idle_count, 0);
  enum { MANY = 300 };
  static struct outcome outcomes[MANY];
  for (int i = 0; i < MANY; i++) start_task(&outcomes[i], "wait()");
  task_wake_all(&waiters, NULL, NULL);
  for (int i = 0; i < MANY; i++) assert_int_equal(outcomes[i].ended, 1);
  assert_int_equal(tasks_of(vm)->idle_count, 256);
}

static void background_tasks_end_with_their_generation(void **state) {
  (void)state;
  struct outcome handler, background, child;
  start_task(&handler, "wait() note('handler')");
  struct task *task = task_new(vm, &outcome_owner, &background);
  background = (struct outcome){0};
  task->is_background = true;
  task_start(task, push_text, "wait() note('background')");
  vm->running = task;
  struct task *begun = start_task(&child, "wait() note('child')");
  vm->running = NULL;
  assert_true(begun->is_background);
  task_module.switch_to(vm, NULL, NULL);  // the first generation: there is none before
  assert_int_equal(background.ended, 0);
  task_module.switch_to(vm, (struct generation *)task, NULL);
  assert_true(background.ended == 1 && child.ended == 1 && handler.ended == 0);
  task_wake_all(&waiters, NULL, NULL);
  expect_noted("handler\n");
}

static void all_end_with_the_vm(void **state) {
  (void)state;
  static struct outcome outcomes[3];
  for (int i = 0; i < 3; i++)
    start_task(&outcomes[i],
               "local x <close> = setmetatable({}, { __close = function()\n"
               "  note('closed') end }) wait(i)");
  vm_free(vm);
  for (int i = 0; i < 3; i++) assert_int_equal(outcomes[i].ended, 1);
  expect_noted("closed\nclosed\nclosed\n");
  vm = vm_new(fake.worker, ".", VM_BYTES, test_modules);  // for the teardown
}

static void memory_runs_out_at_each_allocation(void **state) {
  (void)state;
  static const char text[] =
      "local x <close> = setmetatable({}, { __close = function() end })\n"
      "local t = { wait(1) }\n"
      "for i = 1, 10 do t[#t + 1] = { tostring(i) } end\n"
      "return table.concat(t[3] or {})";
  unsigned failed = 0, ok = 0;
  for (size_t room = 0; ok == 0; room += 8) {
    lua_gc(vm->L, LUA_GCCOLLECT);
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room;
    struct outcome outcome;
    struct task *task = start_task(&outcome, text);
    if (task != NULL && outcome.ended == 0) task_wake_all(&waiters, push_three, "some text");
    vm->memory_max_bytes = VM_BYTES;
    assert_true(task == NULL || outcome.ended == 1);
    if (task == NULL || !outcome.ok) failed++;
    if (task != NULL && outcome.ok) ok++;
    assert_true(list_is_empty(&tasks_of(vm)->all) && list_is_empty(&waiters));
  }
  assert_true(failed > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      vm_test(runs_to_its_end),
      vm_test(a_failure_is_logged_with_traceback_and_owner),
      vm_test(quiet_owners_have_no_log),
      vm_test(waits_until_it_is_woken),
      vm_test(who_waits_again_is_not_woken_twice),
      vm_test(a_wait_has_an_end),
      vm_test(waits_only_where_it_can),
      vm_test(a_yield_of_the_script_is_a_mistake),
      vm_test(starts_within_another),
      vm_test(a_chain_that_is_too_deep_is_an_error),
      vm_test(is_killed_while_it_waits),
      vm_test(errors_while_closing_harm_nobody),
      vm_test(coroutines_are_used_again_unless_they_failed),
      vm_test(background_tasks_end_with_their_generation),
      vm_test(all_end_with_the_vm),
      vm_test(memory_runs_out_at_each_allocation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
