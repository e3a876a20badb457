// Arguments and JSON of bindings: what is taken, and the words of what is not. And what a
// VM does with memory it has not got.
#include "script/vm/args.h"

#include "script/vm/json.h"
#include "script/vm/task_module.h"

static int kind(lua_State *L) {
  lua_pushinteger(L, args_check_kind(L, 1, "check"));
  return 1;
}

static int payload(lua_State *L) {
  vm_push_slice(L, args_check_payload(L, 1, "payload: value"));
  return 1;
}

static int text(lua_State *L) {
  vm_push_slice(L, args_check_string(L, 1));
  vm_push_slice(L, args_check_slice(L, 2));
  return 2;
}

static int seconds(lua_State *L) {
  lua_pushnumber(L, args_opt_seconds(L, 1));
  return 1;
}

static int decode(lua_State *L) { return json_decode(L, args_check_slice(L, 1)); }

static int open_functions(lua_State *L) {
  json_open(L);
  lua_setglobal(L, "null");
  lua_register(L, "kind", kind);
  lua_register(L, "payload", payload);
  lua_register(L, "text", text);
  lua_register(L, "seconds", seconds);
  lua_register(L, "decode", decode);
  return 0;
}

static int open_args(void **state) {
  int failed = open_vm(state);
  return failed || !vm_enter(vm, open_functions, NULL, "functions");
}

struct row {
  const char *expression, *noted;
};

static void expect_rows(const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *code = mem_format("note(select(2, pcall(function() return %s end)))", rows[i].expression);
    assert_true(run_task(code).ok);
    buf_append_char(&notes, '\0');
    if (strstr(notes.data + notes.start, rows[i].noted) == NULL)
      fail_msg("%s: %s", rows[i].expression, notes.data + notes.start);
    buf_clear(&notes);
    free(code);
  }
}

#define expect_each(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void kinds(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"kind()", "0"},
      {"kind 'text'", "0"},
      {"kind 'binary'", "1"},
      {"kind 'x'", "check: kind must be \"text\" or \"binary\""},
      {"kind(5)", "check: kind must be \"text\" or \"binary\""},
  };
  expect_each(rows);
}

static void values(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"payload 'x'", "x"},
      {"payload{ 1, 'a' }", "[1,\"a\"]"},
      {"payload(5)", "payload: value must be a string or a table (got number)"},
      {"payload(nil)", "payload: value must be a string or a table (got nil)"},
      {"payload{ print }", "payload: value has no JSON form: "},
      {"payload{ 0/0 }", "payload: value has no JSON form: "},
      {"text('a', 5)", "a 5"},
      {"text(5, 'a')", "bad argument #1 to 'text' (string expected, got number)"},
      {"text('a', {})", "bad argument #2 to 'text' (string expected, got table)"},
      {"seconds()", "-1.0"},
      {"seconds(nil)", "-1.0"},
      {"seconds(1.5)", "1.5"},
      {"seconds(-1)", "must be a number of seconds, not negative"},
      {"seconds(0/0)", "must be a number of seconds, not negative"},
      {"seconds {}", "number expected, got table"},
  };
  expect_each(rows);
}

static void json(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"decode '5'", "5"},
      {"decode '5.5'", "5.5"},
      {"math.type(decode '[5]'[1])", "integer"},
      {"math.type(decode '{\"a\":[5.0]}'.a[1])", "integer"},
      {"math.type(decode '1e300')", "float"},
      {"decode '[null]'[1] == null", "true"},
      {"select(3, decode '[1')", "json"},
      {"select(3, decode '1e999')", "json"},
      {"select(2, decode '[1e999]')", "a number is too large"},
      {"select(3, decode '')", "json"},
      {"select(3, decode '[Infinity]')", "json"},
      {"select(3, decode '[\"\\xff\"]')", "json"},
      {"select(3, decode(('['):rep(100000)))", "json"},
  };
  expect_each(rows);
}

static int raise_table(lua_State *L) {
  lua_newtable(L);
  return lua_error(L);
}

static int raise_text(lua_State *L) { return luaL_error(L, "on purpose"); }

static int fill_memory(lua_State *L) {
  luaL_Buffer buffer;
  luaL_buffinitsize(L, &buffer, 2 * (size_t)VM_BYTES);
  return 0;
}

static void what_is_entered_is_protected(void **state) {
  (void)state;
  int top = lua_gettop(vm->L);
  assert_false(vm_enter(vm, raise_text, NULL, "entering"));
  assert_true(fake_log_has("error entering: on purpose\nstack traceback:"));
  assert_false(vm_enter(vm, raise_table, NULL, "entering"));
  assert_true(fake_log_has("error entering: table: "));
  assert_false(vm_enter(vm, fill_memory, NULL, "filling"));
  assert_true(fake_log_has("error filling: not enough memory"));
  assert_int_equal(lua_gettop(vm->L), top);
}

static void a_vm_needs_its_memory(void **state) {
  (void)state;
  size_t bytes = (size_t)metric_get(&vm->metrics.vm_bytes);
  unsigned failures = 0;
  for (size_t cap = 0; cap < 2 * bytes; cap += 509) {
    struct vm *small = vm_new(fake.worker, ".", cap, test_modules);
    if (small == NULL) {
      failures++;
      continue;
    }
    assert_true(metric_get(&small->metrics.vm_bytes) <= (long long)cap);
    vm_free(small);
    break;
  }
  assert_true(failures > 20);
  list_init(&waiters);
}

static void text_is_pushed_also_when_memory_is_short(void **state) {
  (void)state;
  struct slice long_text =
      slice_str("a text that is too long to be a short string of Lua's, you see");
  assert_true(vm_push_text(vm, vm->L, long_text));
  assert_string_equal(lua_tostring(vm->L, -1), long_text.ptr);
  lua_pop(vm->L, 1);
  vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + 1000;
  assert_true(vm_push_text(vm, vm->L, long_text));
  lua_settop(vm->L, 0);
  lua_gc(vm->L, LUA_GCCOLLECT);
  vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes);
  assert_false(
      vm_push_text(vm, vm->L, slice_str("another text, as long as the other one, which is new")));
  assert_true(fake_log_has("pushing a message: not enough memory"));
  vm->memory_max_bytes = VM_BYTES;
}

#define args_test(name) cmocka_unit_test_setup_teardown(name, open_args, close_vm)

int main(void) {
  const struct CMUnitTest tests[] = {
      args_test(kinds),
      args_test(values),
      args_test(json),
      args_test(what_is_entered_is_protected),
      args_test(a_vm_needs_its_memory),
      args_test(text_is_pushed_also_when_memory_is_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
