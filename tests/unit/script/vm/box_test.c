// Boxes: their types, pointers that are emptied, memory that is released once.
#include "script_fixture.h"

#include "script/vm/box.h"

static struct box_type apple = {.name = "test.apple"}, pear = {.name = "test.pear"};

static int check_apple(lua_State *L) {
  const char *object = box_check_pointer(L, 1, &apple);
  lua_pushstring(L, object != NULL ? object : "emptied");
  return 1;
}

static void open_fruit(lua_State *L) {
  box_new_type(L, &apple);
  box_new_type(L, &pear);
  lua_register(L, "check_apple", check_apple);
}

static struct script_module fruit = {.name = "fruit", .open = open_fruit};
static struct script_module *const modules[] = {&box_module, &fruit, &task_module, NULL};

static void knows_its_type(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  lua_State *L = vm->L;
  void *memory = box_push(L, &pear, 16, 0);
  assert_ptr_equal(box_test(L, -1, &pear), memory);
  assert_null(box_test(L, -1, &apple));
  lua_pushlightuserdata(L, memory);
  assert_null(box_test(L, -1, &pear));
  lua_pushinteger(L, 1);
  assert_null(box_test(L, -1, &pear));
  lua_newuserdatauv(L, 16, 0);
  assert_null(box_test(L, -1, &pear));
  vm_free(vm);
}

static void pointer_is_emptied(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  struct fixture_ends ends = {0};
  char object[] = "golden";
  struct box *box = box_push_pointer(vm->L, &apple, object, 0);
  lua_setglobal(vm->L, "box");
  box_push(vm->L, &pear, 16, 0);
  lua_setglobal(vm->L, "other");
  fixture_run(vm, &ends, "note(check_apple(box))");
  box->object = NULL;
  fixture_run(vm, &ends, "note(check_apple(box))");
  assert_string_equal(noted, "golden emptied ");
  fixture_run(vm, &ends, "check_apple(other)");
  assert_non_null(strstr(ends.error,
                         "apple.check_apple: write apple:check_apple(...), with a colon "
                         "(the first argument is no apple: got test.pear)"));
  fixture_run(vm, &ends, "check_apple(nil)");
  assert_non_null(strstr(ends.error, "(the first argument is no apple: got nil)"));
  fixture_run(vm, &ends, "({ check = check_apple }):check()");
  assert_non_null(strstr(ends.error, "apple:check: what is before the colon must be a apple"));
  vm_free(vm);
}

static int released;

static void release(void *memory) { released += *(int *)memory; }

static void owned_is_released_once(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  released = 0;
  int *early = box_push_owned(vm->L, sizeof *early, release);
  assert_int_equal(*early, 0);
  *early = 1;
  box_release(vm->L, -1);
  assert_int_equal(released, 1);
  int *late = box_push_owned(vm->L, sizeof *late, release);
  *late = 10;
  lua_settop(vm->L, 0);
  lua_gc(vm->L, LUA_GCCOLLECT);
  assert_int_equal(released, 11);
  int *last = box_push_owned(vm->L, sizeof *last, release);
  *last = 100;
  vm_free(vm);
  assert_int_equal(released, 111);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_its_type),
      cmocka_unit_test(pointer_is_emptied),
      cmocka_unit_test(owned_is_released_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
