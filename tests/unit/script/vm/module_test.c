// The table of modules: when each of them is called, and where its state is.
#include "script_fixture.h"

#include "script/reload/bundle.h"
#include "script/reload/generation.h"

struct counter {
  int count;
};

static struct script_module first, second;
static char calls[256];

static void call(const char *name) {
  strncat(calls, name, sizeof calls - strlen(calls) - 1);
  strncat(calls, " ", sizeof calls - strlen(calls) - 1);
}

static void open_first(lua_State *L) {
  call("open1");
  assert_int_equal(lua_type(L, -1), LUA_TTABLE);
  struct counter *counter = vm_state(vm_of(L), &first);
  assert_int_equal(counter->count++, 0);
}

static void open_second(lua_State *L) {
  call("open2");
  struct counter *counter = vm_state(vm_of(L), &second);
  assert_int_equal(counter->count++, 0);
  lua_pushinteger(L, 42);
  lua_setfield(L, -2, "answer");
}

static void declare_first(struct generation *generation) {
  struct counter *counter = generation_state(generation, &first);
  assert_int_equal(counter->count, 0);
  counter->count = (int)generation->number;
  call("declare");
}

static void forget_first(struct generation *generation) {
  struct counter *counter = generation_state(generation, &first);
  assert_int_equal(counter->count, (int)generation->number);
  call("forget");
}

static void switch_first(struct vm *vm, struct generation *before, struct generation *next) {
  assert_ptr_equal(vm->live, next);
  call(before == NULL ? "switch" : "switch_from");
}

static void stop_first(struct vm *vm) {
  (void)vm;
  call("stop1");
}

static void stop_second(struct vm *vm) {
  (void)vm;
  call("stop2");
}

static struct script_module first = {.name = "first",
                                     .open = open_first,
                                     .declare = declare_first,
                                     .forget = forget_first,
                                     .switch_to = switch_first,
                                     .stop = stop_first,
                                     .vm_state_bytes = sizeof(struct counter),
                                     .generation_state_bytes = sizeof(struct counter)};
static struct script_module second = {.name = "second",
                                      .open = open_second,
                                      .stop = stop_second,
                                      .vm_state_bytes = sizeof(struct counter)};

static struct script_module *const modules[] = {&first, &task_module, &second, &generation_module,
                                                NULL};

static int start(void **state) {
  (void)state;
  calls[0] = '\0';
  return 0;
}

static void opens_and_stops_in_order(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  fixture_run(vm, &ends, "note(require 'tidegate.core'.answer)");
  assert_string_equal(noted, "42 ");
  vm_free(vm);
  assert_string_equal(calls, "open1 open2 stop1 stop2 ");
}

static void each_vm_has_its_own_state(void **state) {
  (void)state;
  struct vm *a = fixture_vm(modules), *b = fixture_vm(modules);
  assert_ptr_not_equal(vm_state(a, &first), vm_state(b, &first));
  assert_ptr_not_equal(vm_state(a, &first), vm_state(a, &second));
  vm_free(a);
  vm_free(b);
}

static void generations_come_and_go(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct bundle bundle = {.refs = 1};
  calls[0] = '\0';
  struct generation *one = generation_begin(vm, &bundle, 1);
  generation_switch(vm, one);
  struct generation *dropped = generation_begin(vm, &bundle, 2);
  generation_free(dropped);
  generation_switch(vm, generation_begin(vm, &bundle, 3));
  assert_string_equal(calls, "declare switch declare forget declare switch_from forget ");
  vm_free(vm);
  assert_string_equal(
      calls, "declare switch declare forget declare switch_from forget stop1 stop2 forget ");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(opens_and_stops_in_order, start),
      cmocka_unit_test_setup(each_vm_has_its_own_state, start),
      cmocka_unit_test_setup(generations_come_and_go, start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
