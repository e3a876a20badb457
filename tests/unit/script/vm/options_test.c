// Options by rows: an option is read, refused, defaulted and shown to Lua by its row alone.
#include "script/vm/options.h"

#include "script_fixture.h"

struct out {
  struct slice text;
  uint32_t millis;
  uint64_t bytes;
  int64_t whole;
  size_t count;
  bool strict, loose;
  int choice;
  bool is_all;
  int call_ref;
  int read;
};

static const struct option_choice sizes[] = {{"small", 1}, {"large", 2}, {"huge", 3}, {NULL, 0}};
static const struct option_choice places[] = {{"one", false}, {"all", true}, {NULL, 0}};

static const struct option inner_rows[] = {
    {.name = "deep", .type = OPTION_BOOLEAN, OPTION_FIELD(struct out, strict), .help = "deep"}};
static const struct option_table inner = {.name = "inner", .of = "read", OPTION_ROWS(inner_rows)};

static void read_it(lua_State *L, const char *what, void *out) {
  struct out *o = out;
  o->read = 1;
  if (lua_istable(L, -1)) options_read(L, lua_gettop(L), &inner, what, out);
}

static const struct option rows[] = {
    {.name = "text",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct out, text),
     .most = 4,
     .help = "a text"},
    {.name = "wait",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct out, millis),
     .scale = 1000,
     .otherwise = 0.25,
     .help = "seconds"},
    {.name = "bytes",
     .type = OPTION_BYTES,
     OPTION_FIELD(struct out, bytes),
     .least = 1,
     .most = 1e12},
    {.name = "whole",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct out, whole),
     .most = 5,
     .otherwise = -1,
     .fallback = "never"},
    {.name = "count",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct out, count),
     .least = 1,
     .otherwise = 7},
    {.name = "strict", .type = OPTION_BOOLEAN, OPTION_FIELD(struct out, strict)},
    {.name = "loose", .type = OPTION_TRUTH, OPTION_FIELD(struct out, loose), .otherwise = true},
    {.name = "size",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct out, choice),
     .choices = sizes,
     .otherwise = 2},
    {.name = "on", .type = OPTION_CHOICE, OPTION_FIELD(struct out, is_all), .choices = places},
    {.name = "call", .type = OPTION_FUNCTION, OPTION_FIELD(struct out, call_ref)},
    {.name = "read", .type = OPTION_SWITCH, .inner = &inner, .read = read_it, .luals = "boolean"},
    {.name = "lua", .type = OPTION_NAMES, .least = 1, .only = "ws"},
};
static const struct option_table table = {.name = "spec", OPTION_ROWS(rows), .has_defaults = true};

static struct out out;
static int top;

// read(options): into `out`
static int read_function(lua_State *L) {
  out = (struct out){0};
  options_read(L, 1, &table, "f", &out);
  top = lua_gettop(L);
  // The text lives as long as the stack does.
  lua_pushlstring(L, out.text.ptr != NULL ? out.text.ptr : "", out.text.len);
  return 1;
}

static int rows_function(lua_State *L) {
  options_push_rows(L, &table, lua_toboolean(L, 1));
  return 1;
}

// A row with a default, in a table that says it has none.
static int forgetful_function(lua_State *L) {
  static const struct option_table forgetful = {.name = "forgetful", OPTION_ROWS(rows)};
  options_push_rows(L, &forgetful, false);
  return 1;
}

static struct vm *open_vm(void) {
  static struct script_module *const modules[] = {NULL};
  struct vm *vm = fixture_vm(modules);
  lua_register(vm->L, "read", read_function);
  lua_register(vm->L, "rows", rows_function);
  lua_register(vm->L, "forgetful", forgetful_function);
  return vm;
}

// Runs Lua; a message is noted.
static void run(struct vm *vm, const char *code) {
  noted[0] = '\0';
  if (luaL_dostring(vm->L, code) != LUA_OK)
    snprintf(noted, sizeof noted, "%s", lua_tostring(vm->L, -1));
  lua_settop(vm->L, 0);
}

static void test_defaults(void **state) {
  (void)state;
  struct vm *vm = open_vm();
  static const char *const calls[] = {"read()", "read(nil)", "read({})"};
  for (size_t i = 0; i < 3; i++) {
    run(vm, calls[i]);
    assert_string_equal(noted, "");
    assert_null(out.text.ptr);
    assert_int_equal(out.millis, 250);
    assert_int_equal(out.bytes, 0);
    assert_int_equal(out.whole, -1);
    assert_int_equal(out.count, 7);
    assert_false(out.strict);
    assert_true(out.loose);
    assert_int_equal(out.choice, 2);
    assert_false(out.is_all);
    assert_int_equal(out.call_ref, LUA_NOREF);
    assert_int_equal(out.read, 0);
  }
  vm_free(vm);
}

static void test_values(void **state) {
  (void)state;
  struct vm *vm = open_vm();
  run(vm,
      "note(read { text = 'ab', wait = 0.0001, bytes = 1e12, whole = 5.0, count = 1, strict = "
      "true, "
      "loose = false, size = 'huge', on = 'all', read = { deep = true }, lua = 1 })");
  assert_string_equal(noted, "ab ");
  assert_int_equal(out.millis, 1);  // rounded up: 0 means another thing
  assert_true(out.bytes == UINT64_C(1000000000000));
  assert_int_equal(out.whole, 5);
  assert_int_equal(out.count, 1);
  assert_true(out.strict);
  assert_false(out.loose);
  assert_int_equal(out.choice, 3);
  assert_true(out.is_all);
  assert_int_equal(out.read, 1);
  run(vm, "note(read { text = 12, wait = 1e300, loose = 0, strict = false })");
  assert_string_equal(noted, "12 ");
  assert_true(out.millis == UINT32_MAX);
  assert_true(out.loose);
  vm_free(vm);
}

static void test_metatables_are_not_asked(void **state) {
  (void)state;
  struct vm *vm = open_vm();
  run(vm,
      "local mt = { __index = function(_, key) note('asked ' .. key) return 'far' end,\n"
      "             __pairs = function() note('pairs') end, __len = function() note('len') end }\n"
      "note(read(setmetatable({ count = 3 }, mt)))");
  assert_string_equal(noted, " ");
  assert_int_equal(out.count, 3);
  assert_int_equal(out.choice, 2);
  assert_int_equal(out.millis, 250);
  vm_free(vm);
}

#define KNOWN "(known: bytes, call, count, loose, lua, on, read, size, strict, text, wait, whole)"

static void test_what_is_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"5", "bad argument #1 to 'read' (table expected, got number)"},
      {"{ txt = 1 }", "f: unknown option \"txt\": did you mean \"text\"? " KNOWN},
      {"{ wrong = 1 }", "f: unknown option \"wrong\" " KNOWN},
      {"{ 'text' }", "f: options are name = value (got [1])"},
      {"{ txt = 1, wait = -1 }", "f: unknown option \"txt\": did you mean \"text\"? " KNOWN},
      {"{ text = {} }", "f: text must be a string, got table"},
      {"{ text = 'abcde' }", "f: text has more than 4 bytes"},
      {"{ bytes = 0 }", "f: bytes must be a number from 1 to 1000000000000 (got 0)"},
      {"{ bytes = 'x' }", "f: bytes must be a number from 1 to 1000000000000 (got string)"},
      {"{ bytes = 1.5 }", "f: bytes must be a whole number (got 1.5)"},
      {"{ whole = 6 }", "f: whole must be a number from 0 to 5 (got 6)"},
      {"{ whole = 0 / 0 }", "f: whole must be a number from 0 to 5 (got -nan)"},
      {"{ count = 0 }", "f: count must be a whole number, 1 or more"},
      {"{ count = 1.5 }", "f: count must be a whole number, 1 or more"},
      {"{ wait = -1 }", "f: wait must be a number, 0 or more (got -1)"},
      {"{ wait = 'x' }", "f: wait must be a number, 0 or more (got string)"},
      {"{ strict = 1 }", "f: strict must be true or false, got number"},
      {"{ size = 'tiny' }", "f: size must be \"small\", \"large\" or \"huge\""},
      {"{ size = 1 }", "f: size must be \"small\", \"large\" or \"huge\""},
      {"{ on = true }", "f: on must be \"one\" or \"all\""},
      {"{ call = 1 }", "f: call must be a function, got number"},
      {"{ read = { dep = 1 } }",
       "f: read: unknown option \"dep\": did you mean \"deep\"? (known: deep)"},
      {"{ read = { true } }", "f: read: options are name = value (got [1])"},
      {"{ read = { deep = 1 } }", "f: deep must be true or false, got number"},
  };
  struct vm *vm = open_vm();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char code[128];
    snprintf(code, sizeof code, "local ok, message = pcall(read, %s) error(message, 0)",
             cases[i][0]);
    run(vm, code);
    const char *message = strcmp(noted, "") == 0 ? "nothing" : noted;
    if (strstr(cases[i][1], "nan") != NULL)
      assert_non_null(strstr(message, "nan)"));
    else if (strstr(cases[i][1], "bad argument") != NULL)
      assert_non_null(strstr(message, "table expected, got number"));
    else
      assert_string_equal(message, cases[i][1]);
  }
  vm_free(vm);
}

static void test_functions_are_released(void **state) {
  (void)state;
  struct vm *vm = open_vm();
  run(vm,
      "live = setmetatable({}, { __mode = 'k' }) local f = function() end live[f] = 1 "
      "f = function() return live end live[f] = 1 read { call = f }");
  assert_int_not_equal(out.call_ref, LUA_NOREF);
  const char *count = "collectgarbage() local n = 0 for _ in pairs(live) do n = n + 1 end note(n)";
  run(vm, count);
  assert_string_equal(noted, "1 ");
  options_release(vm, &table, &out);
  run(vm, count);
  assert_string_equal(noted, "0 ");
  // After an error, too, what was read before it can be released.
  run(vm,
      "local f = function() return live end live[f] = 1 pcall(read, { call = f, read = { deep = 1 "
      "} })");
  options_release(vm, &table, &out);
  run(vm, count);
  assert_string_equal(noted, "0 ");
  vm_free(vm);
}

static void test_rows_for_lua(void **state) {
  (void)state;
  struct vm *vm = open_vm();
  run(vm,
      "local by = {} for i, row in ipairs(rows(true)) do by[row.name] = row by[i] = row.name end "
      "note(#by, by[1], by[12]) "
      "note(by.text.type, by.text.most, by.text.luals, by.text.help, by.text.default) "
      "note(by.wait.default, by.whole.default, by.whole.fallback, by.loose.type, by.loose.default) "
      "note(by.size.default, by.size.choices[3], by.on.default, by.strict.default) "
      "note(by.read.inner[1].name, by.read.inner_name, by.read.luals, by.lua.only, by.lua.least)");
  assert_string_equal(noted,
                      "12 text lua text 4.0 string a text nil 0.25 nil never boolean true "
                      "large huge one false deep inner boolean ws 1.0 ");
  vm_free(vm);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_metatables_are_not_asked),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_functions_are_released),
      cmocka_unit_test(test_rows_for_lua),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
