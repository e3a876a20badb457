// Tasks that wait and are woken, with the module that core/script/README.md shows.
#include "script_fixture.h"

#include "script/vm/args.h"

extern struct script_module bind_bell;  // as in bind/modules.h

// From here to the module: word for word in the README, which tests/e2e/doc_spec.lua checks.
struct bell {
  struct list hearers;
};

static int hear(lua_State *L) {
  struct bell *bell = vm_state(vm_of(L), &bind_bell);
  return task_wait_in(L, &bell->hearers, args_opt_seconds(L, 1), NULL);
}

static int push_sound(lua_State *L, void *text) {
  lua_pushstring(L, text);
  return 1;
}

static int ring(lua_State *L) {
  struct bell *bell = vm_state(vm_of(L), &bind_bell);
  task_wake_all(&bell->hearers, push_sound, (void *)luaL_checkstring(L, 1));
  return 0;
}

static const luaL_Reg functions[] = {{"hear", hear}, {"ring", ring}, {NULL, NULL}};

static void open_bell(lua_State *L) {
  struct bell *bell = vm_state(vm_of(L), &bind_bell);
  list_init(&bell->hearers);  // the memory is zeroed, which is no list yet
  luaL_setfuncs(L, functions, 0);
}

struct script_module bind_bell = {
    .name = "bell", .open = open_bell, .vm_state_bytes = sizeof(struct bell)};

// Scripts of this test call these without require.
static void open_globals(lua_State *L) {
  lua_getfield(L, -1, "hear");
  lua_setglobal(L, "hear");
  lua_getfield(L, -1, "ring");
  lua_setglobal(L, "ring");
}

static struct script_module globals_module = {.name = "globals", .open = open_globals};

static struct script_module *const modules[] = {&task_module, &bind_bell, &globals_module, NULL};

static struct bell *bell_of(struct vm *vm) { return vm_state(vm, &bind_bell); }

static void wakes_all_with_results(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(vm, &ends, "note('a', hear())");
  fixture_run(vm, &ends, "note('b', hear(nil))");
  assert_string_equal(noted, "");
  fixture_run(vm, &ends, "ring 'ding' note 'rung'");
  assert_string_equal(noted, "a ding b ding rung ");
  assert_int_equal(ends.ok, 3);
  assert_true(list_is_empty(&bell_of(vm)->hearers));
  vm_free(vm);
}

// One that waits again is woken by the next ring, not by the same.
static void wakes_once(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(vm, &ends, "note(hear()) note(hear())");
  task_wake_all(&bell_of(vm)->hearers, push_sound, "one");
  assert_string_equal(noted, "one ");
  task_wake_all(&bell_of(vm)->hearers, push_sound, "two");
  assert_string_equal(noted, "one two ");
  assert_int_equal(ends.ok, 1);
  vm_free(vm);
}

static void killed_leaves_the_list(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  struct task *first = fixture_run(vm, &ends, "note('first', hear())");
  fixture_run(vm, &ends, "note('second', hear())");
  task_kill(first);
  task_wake_all(&bell_of(vm)->hearers, task_push_failure, "closed");
  assert_string_equal(noted, "second nil closed closed ");
  vm_free(vm);
}

static void wakes_without_results(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  struct task *task = fixture_run(vm, &ends, "note(select('#', hear()))");
  task->detach(task);
  task_wake(task, NULL, NULL);
  assert_string_equal(noted, "0 ");
  vm_free(vm);
}

static int push_too_much(lua_State *L, void *arg) {
  (void)arg;
  lua_newuserdatauv(L, 2 * FIXTURE_MEMORY, 0);
  return 1;
}

static void fails_without_memory(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(vm, &ends, "hear() note 'heard'");
  task_wake_all(&bell_of(vm)->hearers, push_too_much, NULL);
  assert_int_equal(ends.failed, 1);
  assert_string_equal(ends.error, "not enough memory");
  assert_string_equal(noted, "");
  fixture_run(vm, &ends, "note 'still here'");
  assert_string_equal(noted, "still here ");
  vm_free(vm);
}

static void cannot_wait_in_a_coroutine(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(vm, &ends, "note(coroutine.wrap(function() return pcall(hear) end)())");
  assert_non_null(strstr(noted, "false cannot wait inside a coroutine"));
  assert_true(list_is_empty(&bell_of(vm)->hearers));
  vm_free(vm);
}

static void end_of_vm_ends_waits(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(
      vm, &ends,
      "local x <close> = setmetatable({}, {__close = function() note 'closed' end}) hear()");
  vm_free(vm);
  assert_string_equal(noted, "closed ");
  assert_int_equal(ends.ok, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wakes_all_with_results), cmocka_unit_test(wakes_once),
      cmocka_unit_test(killed_leaves_the_list), cmocka_unit_test(wakes_without_results),
      cmocka_unit_test(fails_without_memory),   cmocka_unit_test(cannot_wait_in_a_coroutine),
      cmocka_unit_test(end_of_vm_ends_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
