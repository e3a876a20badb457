// Errors name the script's line and never the framework's: of the log, for what a script raises
// without a place of its own, and for what takes too long inside a function of the framework.
#include "script/fake_call.h"
#include "script/fake_gate.h"
#include "script/vm/place.h"
#include "script/vm/watchdog.h"

enum { HANDLER_MS = 20 };

static void expect_logged(const char *line) {
  if (!fake_log_has(line)) fail_msg("not in the log: %s\n%s", line, fake_log_text);
}

// Asks for a path whose handler is `body`, in the third line behind the prelude of 7.
static void expect_failure(const char *body, const char *logged) {
  char *script = mem_format(
      "local function helper() error('of the caller', 2) end\n"
      "local function guard(req, res, next) return next() end\n"
      "gate.get('/', function(req, res) %s end)\n"
      "gate.get('/guarded', guard, function(req, res) %s end)\n",
      body, body);
  gate_open(script);
  free(script);
  const char *const lines[] = {"GET /", "GET /guarded"};
  for (int i = 0; i < 2; i++) {
    fake_log_clear();
    struct fake_call *call = fake_call_start(fake.worker, lines[i], "");
    fake_turns();
    expect_answer(call, 500, "internal server error\n");
    fake_call_free(call);
    char *expected = mem_format("main.lua:%d: %s\nstack traceback:", 10 + i, logged);
    expect_logged(expected);
    free(expected);
  }
}

#define FAILS(name, body, logged)     \
  static void name(void **state) {    \
    (void)state;                      \
    expect_failure((body), (logged)); \
  }

FAILS(an_error_that_blames_the_caller, "error('x', 2)", "x")
FAILS(an_error_that_blames_far_above, "local function f() error('x', 3) end f()", "x")
FAILS(an_error_of_a_helper, "helper()", "of the caller")
FAILS(an_error_without_a_place, "error('x', 0)", "x")
FAILS(an_error_with_an_address, "error('dial 127.0.0.1: refused', 0)", "dial 127.0.0.1: refused")
FAILS(an_error_with_a_port, "error('cannot reach db:5432: refused', 0)",
      "cannot reach db:5432: refused")
FAILS(a_stack_overflow, "local function f(n) return 1 + f(n + 1) end f(1)", "stack overflow")
FAILS(a_number, "error(404)", "404")
FAILS(a_table, "error({ code = 404 })", "(error object is a table value)")
FAILS(nothing, "error()", "(error object is a nil value)")
FAILS(an_object_with_text, "error(setmetatable({}, { __tostring = function() return 'x' end }))",
      "x")
FAILS(a_sort_of_what_cannot_be_compared, "table.sort({ 1, 'x' })",
      "attempt to compare string with number")
FAILS(a_key_that_is_none, "next({}, 'x')", "invalid key to 'next'")
FAILS(a_file_that_is_missing, "dofile('/none.lua')",
      "cannot open /none.lua: No such file or directory")
FAILS(a_field_of_the_answer, "res.code = 404", "res.code cannot be set: keep what is yours on req")
FAILS(a_method_of_the_answer, "res.status = 404", "res.status is a method: write res:status(...)")

static void a_place_of_its_own_stays(void **state) {
  (void)state;
  gate_open(
      "gate.get('/again', function()\n"
      "  local ok, problem = pcall(error, 'elsewhere.lua:9: x', 0)\n"
      "  error(problem, 0)\n"
      "end)");
  fake_call_free(fake_call_start(fake.worker, "GET /again", ""));
  fake_turns();
  expect_logged("error elsewhere.lua:9: x\nstack traceback:");
}

// What a script compiles itself is a script, whatever it calls it.
static void a_chunk_of_the_scripts_own_is_named(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"load('\\n\\nerror(\"x\")', '=views/page.etl')()", "views/page.etl:3: x"},
      {"load('\\n\\nerror(\"x\", 0)', '=views/page.etl')()", "views/page.etl:3: x"},
      {"load('\\nerror(\"x\", 0)', '=tidegate/app.lua')()", "tidegate/app.lua:2: x"},
      {"local parts = { 'error(\"x\", 0)' }\n"
       "load(function() return table.remove(parts) end)()",
       "(load):1: x"},
      {"load('error(1)')()", "[string \"error(1)\"]:1: 1"},
      {"load('error(1) -- a:7: b')()", "[string \"error(1) -- a:7: b\"]:1: 1"},
      {"load('local function f() error(\"x\", 2) end\\nf()', '@my app/a.lua')()",
       "my app/a.lua:2: x"},
  };
  gate_open("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *script = mem_format("gate.spawn(function() %s\nreturn 1 end)", cases[i][0]);
    fake_log_clear();
    gate_reload_with(script);
    fake_wait_ms(1);
    char *line = mem_format("error %s\nstack traceback:", cases[i][1]);
    expect_logged(line);
    free(line);
    free(script);
  }
}

static int descend(lua_State *L) {
  char place[PLACE_BYTES];
  lua_Integer levels = lua_tointeger(L, 1);
  if (levels == 1) {
    lua_pushboolean(L, place_find(L, place));
    return 1;
  }
  lua_pushcfunction(L, descend);
  lua_pushinteger(L, levels - 1);
  lua_call(L, 1, 1);
  return 1;
}

static void only_the_innermost_levels_are_looked_at(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  lua_register(L, "descend", descend);
  assert_int_equal(LUA_OK, luaL_dostring(L, "local a, b = descend(99), descend(100) return a, b"));
  assert_true(lua_toboolean(L, -2));
  assert_false(lua_toboolean(L, -1));
  lua_close(L);
}

static void what_the_framework_takes_too_long_for(void **state) {
  (void)state;
  watchdog_start(HANDLER_MS);
  gate_open(
      "gate.spawn(function()\n"
      "  while true do gate.jwt.verify(gate.jwt.sign({}, 'x'), 'x') end\n"
      "end)");
  fake_wait_ms(1);
  expect_logged("main.lua:9: the handler ran for longer than handler_time allows");
  watchdog_stop();
}

static void a_load_that_fails_names_the_line(void **state) {
  (void)state;
  static const char *const bodies[] = {"error({})", "error('x', 0)", "error('x', 2)",
                                       "table.sort({ 1, 'x' })",
                                       "local function f(n) return 1 + f(n + 1) end f(1)"};
  gate_open("");
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    gate_write(bodies[i]);
    char *error = gate_reload();
    assert_non_null(error);
    if (strstr(error, "/main.lua:8: ") == NULL) fail_msg("%s: %s", bodies[i], error);
    free(error);
  }
}

static void a_load_that_fails_names_the_inner_module(void **state) {
  (void)state;
  static const char *const bodies[] = {"\n\nerror({})", "\n\nerror('x', 0)"};
  gate_open("");
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    scripts_write("_inner.lua", bodies[i]);
    gate_write("pcall(error, {}) require '_inner'");
    char *error = gate_reload();
    assert_non_null(error);
    if (strstr(error, "/_inner.lua:3: ") == NULL) fail_msg("%s: %s", bodies[i], error);
    free(error);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(an_error_that_blames_the_caller),
      gate_test(an_error_that_blames_far_above),
      gate_test(an_error_of_a_helper),
      gate_test(an_error_without_a_place),
      gate_test(an_error_with_an_address),
      gate_test(an_error_with_a_port),
      gate_test(a_stack_overflow),
      gate_test(a_number),
      gate_test(a_table),
      gate_test(nothing),
      gate_test(an_object_with_text),
      gate_test(a_sort_of_what_cannot_be_compared),
      gate_test(a_key_that_is_none),
      gate_test(a_file_that_is_missing),
      gate_test(a_field_of_the_answer),
      gate_test(a_method_of_the_answer),
      gate_test(a_place_of_its_own_stays),
      gate_test(a_chunk_of_the_scripts_own_is_named),
      cmocka_unit_test(only_the_innermost_levels_are_looked_at),
      gate_test(what_the_framework_takes_too_long_for),
      gate_test(a_load_that_fails_names_the_line),
      gate_test(a_load_that_fails_names_the_inner_module),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
