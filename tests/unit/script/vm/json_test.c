// JSON of scripts: what is read (RFC 8259), what it comes back as, and what cannot be written.
// The rows of what is refused follow nst/JSONTestSuite.
#include "script/vm/json.h"

#include <math.h>

#include "base/buf.h"
#include "base/german.h"
#include "base/mem.h"
#include "script/bind/modules.h"
#include "script/vm/box.h"
#include "script_fixture.h"

static struct script_module *const modules[] = {&box_module, &bind_json, NULL};
static struct vm *vm;

static int open_vm(void **state) {
  (void)state;
  vm = fixture_vm(modules);
  lua_getfield(vm->L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(vm->L, -1, "tidegate.core");
  lua_getfield(vm->L, -1, "json");
  lua_setglobal(vm->L, "json");
  lua_settop(vm->L, 0);
  return 0;
}

static int close_vm(void **state) {
  (void)state;
  vm_free(vm);
  return 0;
}

#define TEXT(text) text, sizeof(text) - 1

// ---- what is read, and what it is written as again -----------------------------------------

static const struct taken {
  const char *text;
  size_t bytes;
  const char *again;
} takens[] = {
    // empty and nested
    {TEXT("[]"), "[]"},
    {TEXT("{}"), "{}"},
    {TEXT("{\"a\":[]}"), "{\"a\":[]}"},
    {TEXT("[[],{},[[]]]"), "[[],{},[[]]]"},
    {TEXT(" \t\r\n[ ] \n"), "[]"},
    {TEXT("{\"a\" : { \"b\" : [ 1 , 2 ] } }"), "{\"a\":{\"b\":[1,2]}}"},
    {TEXT("[null,true,false]"), "[null,true,false]"},
    {TEXT("null"), "null"},
    {TEXT("{\"\":0}"), "{\"\":0}"},
    // of two equal names the last counts
    {TEXT("{\"a\":1,\"a\":2}"), "{\"a\":2}"},
    {TEXT("{\"a\":1,\"\\u0061\":3}"), "{\"a\":3}"},
    // integers of 64 bits, and beyond
    {TEXT("12345678901234567"), "12345678901234567"},
    {TEXT("9007199254740993"), "9007199254740993"},
    {TEXT("-9007199254740993"), "-9007199254740993"},
    {TEXT("9223372036854775807"), "9223372036854775807"},
    {TEXT("-9223372036854775808"), "-9223372036854775808"},
    {TEXT("9223372036854775808"), "9.223372036854776e+18"},
    {TEXT("-9223372036854775809"), "-9.223372036854776e+18"},
    {TEXT("18446744073709551616"), "1.8446744073709552e+19"},
    {TEXT("123456789012345678901234567890"), "1.2345678901234568e+29"},
    {TEXT("0"), "0"},
    {TEXT("-0"), "-0"},
    {TEXT("-1"), "-1"},
    // whole ones are integers, however they are written
    {TEXT("1.0"), "1"},
    {TEXT("-3e2"), "-300"},
    {TEXT("1E2"), "100"},
    {TEXT("1e+2"), "100"},
    {TEXT("1e18"), "1000000000000000000"},
    {TEXT("0e999999999999"), "0"},
    // floats, with the digits they need
    {TEXT("0.1"), "0.1"},
    {TEXT("-0.5"), "-0.5"},
    {TEXT("0.30000000000000004"), "0.30000000000000004"},
    {TEXT("3.141592653589793"), "3.141592653589793"},
    {TEXT("0.0001"), "0.0001"},
    {TEXT("1e-5"), "1e-05"},
    {TEXT("123.456e-2"), "1.23456"},
    {TEXT("19.99"), "19.99"},
    {TEXT("1234567.000001"), "1234567.000001"},
    {TEXT("1e300"), "1e+300"},
    {TEXT("1.7976931348623157e308"), "1.7976931348623157e+308"},
    {TEXT("5e-324"), "4.94065645841247e-324"},
    {TEXT("2.2250738585072014e-308"), "2.2250738585072014e-308"},
    {TEXT("1e-400"), "0"},
    {TEXT("9007199254740993.5"), "9007199254740994"},
    {TEXT("0.1000000000000000055511151231257827021181583404541015625"), "0.1"},
    // strings
    {TEXT("\"\""), "\"\""},
    {TEXT("\"a\\\"b\\\\c\\/d\""), "\"a\\\"b\\\\c/d\""},
    {TEXT("\"\\b\\f\\n\\r\\t\""), "\"\\b\\f\\n\\r\\t\""},
    {TEXT("\"\\u0000\""), "\"\\u0000\""},
    {TEXT("{\"a\\u0000b\":1}"), "{\"a\\u0000b\":1}"},
    {TEXT("\"\\u00e4\\u20AC\""), "\"\xc3\xa4\xe2\x82\xac\""},
    {TEXT("\"\\ud83c\\udf0a\""), "\"\xf0\x9f\x8c\x8a\""},
    {TEXT("\"\\uDBFF\\uDFFF\""), "\"\xf4\x8f\xbf\xbf\""},
    {TEXT("\"\xf0\x9f\x8c\x8a \xc3\xa4\""), "\"\xf0\x9f\x8c\x8a \xc3\xa4\""},
    {TEXT("\"\x7f\""), "\"\\u007f\""},
    {TEXT("\"a\x7f\\n\x7f\""), "\"a\\u007f\\n\\u007f\""},
    {TEXT("\"\\\\u0041\""), "\"\\\\u0041\""},
    {TEXT("\"\xe2\x80\xa8\xef\xbf\xbf\""), "\"\xe2\x80\xa8\xef\xbf\xbf\""},
};

// Text of its own, so that a sanitizer sees a step outside; and behind it no NUL.
static int decode_copy(struct slice text) {
  char *copy = mem_dup(text.ptr, text.len);
  lua_settop(vm->L, 0);
  int pushed = json_decode(vm->L, slice_of(copy, text.len));
  free(copy);
  return pushed;
}

static void expect_taken(void) {
  for (size_t i = 0; i < sizeof takens / sizeof *takens; i++) {
    const struct taken *row = &takens[i];
    if (decode_copy(slice_of(row->text, row->bytes)) != 1)
      fail_msg("%s: %s", row->text, lua_tostring(vm->L, 2));
    assert_int_equal(lua_gettop(vm->L), 1);
    if (!json_try_encode(vm->L, 1)) fail_msg("%s: %s", row->text, lua_tostring(vm->L, -1));
    assert_string_equal(lua_tostring(vm->L, -1), row->again);
  }
}

static void what_is_json_comes_back(void **state) {
  (void)state;
  expect_taken();
}

// 0.000...1 with so many zeros, times a power of ten that may have more digits than a clamp keeps.
static int decode_small(int zeros, const char *exponent) {
  struct buf text = {0};
  buf_printf(&text, "0.%0*d1%s", zeros, 0, exponent);
  int pushed = decode_copy(buf_slice(&text));
  buf_free(&text);
  return pushed;
}

static void exponents_count_whole_however_long_the_digits_are(void **state) {
  (void)state;
  assert_int_equal(decode_small(99999, "e100000"), 1);
  assert_int_equal(lua_tointeger(vm->L, 1), 1);
  assert_int_equal(decode_small(99999, "e1000000"), 3);
  assert_string_equal(lua_tostring(vm->L, 2), "a number is too large");
  assert_int_equal(decode_small(99999, "e-1000000"), 1);
  assert_int_equal(lua_tointeger(vm->L, 1), 0);
  assert_int_equal(decode_small(999999, "e1000003"), 1);
  assert_int_equal(lua_tointeger(vm->L, 1), 1000);
}

// Every beginning of a text that is JSON is read without a step outside.
static void cut_anywhere_it_is_refused_or_another_value(void **state) {
  (void)state;
  struct slice text = slice_str("{\"a\":[1,-2.5e1,\"x\\u00e4\\ud83c\\udf0a\"],\"b\":[true,null]}");
  for (size_t len = 0; len < text.len; len++) {
    assert_int_equal(decode_copy(slice_of(text.ptr, len)), 3);
    assert_int_equal(lua_gettop(vm->L), 3);
  }
}

// ---- what is refused -----------------------------------------------------------------------

static const struct refused {
  const char *text;
  size_t bytes;
  const char *says;
} refuseds[] = {
    {TEXT(""), "Expected a value but found the end at byte 1"},
    {TEXT(" "), "Expected a value but found the end at byte 2"},
    {TEXT("\xef\xbb\xbf{}"), "Expected a value but found byte 0xEF at byte 1"},
    {TEXT("["), "Expected a value but found the end at byte 2"},
    {TEXT("[1"), "Expected a comma or ] but found the end at byte 3"},
    {TEXT("[1,"), "Expected a value but found the end"},
    {TEXT("[1,]"), "Expected a value but found ']' at byte 4"},
    {TEXT("[,1]"), "Expected a value but found ','"},
    {TEXT("[1 2]"), "Expected a comma or ] but found '2'"},
    {TEXT("[1}"), "Expected a comma or ] but found '}'"},
    {TEXT("]"), "Expected a value but found ']'"},
    {TEXT("[]]"), "nothing may follow the value"},
    {TEXT("{} {}"), "nothing may follow the value"},
    {TEXT("1 x"), "nothing may follow the value"},
    {TEXT("1 \0"), "nothing may follow the value"},
    {TEXT("[1]\0, 2]"), "nothing may follow the value"},
    {TEXT("{"), "Expected a name in quotes but found the end"},
    {TEXT("{a:1}"), "Expected a name in quotes but found 'a'"},
    {TEXT("{'a':1}"), "Expected a name in quotes but found '''"},
    {TEXT("{1:1}"), "Expected a name in quotes but found '1'"},
    {TEXT("{\"a\"}"), "Expected a colon but found '}'"},
    {TEXT("{\"a\" 1}"), "Expected a colon but found '1'"},
    {TEXT("{\"a\":}"), "Expected a value but found '}'"},
    {TEXT("{\"a\":1,}"), "Expected a name in quotes but found '}'"},
    {TEXT("{\"a\":1 \"b\":2}"), "Expected a comma or } but found '\"'"},
    {TEXT("[1] // x"), "nothing may follow the value"},
    {TEXT("/**/[1]"), "Expected a value but found '/'"},
    {TEXT("tru"), "Expected a value but found 't' at byte 1"},
    {TEXT("TRUE"), "Expected a value but found 'T'"},
    {TEXT("nul"), "Expected a value"},
    {TEXT("nullx"), "nothing may follow the value"},
    {TEXT("NaN"), "Expected a value but found 'N'"},
    {TEXT("Infinity"), "Expected a value"},
    {TEXT("-Infinity"), "Expected a digit but found 'I' at byte 2"},
    {TEXT("\0"), "Expected a value but found byte 0x00"},
    {TEXT("\x0c[]"), "Expected a value but found byte 0x0C"},
    // numbers
    {TEXT("-"), "Expected a digit but found the end"},
    {TEXT("- 1"), "Expected a digit"},
    {TEXT("+1"), "Expected a value but found '+'"},
    {TEXT("01"), "must not begin with zeros"},
    {TEXT("-01"), "must not begin with zeros"},
    {TEXT("00"), "must not begin with zeros"},
    {TEXT("1."), "digits on both sides of its point"},
    {TEXT("[1.]"), "digits on both sides of its point"},
    {TEXT("1.e5"), "digits on both sides of its point"},
    {TEXT(".5"), "digits on both sides of its point"},
    {TEXT("-.5"), "digits on both sides of its point"},
    {TEXT("[\"\\\"\",1.]"), "digits on both sides of its point"},
    {TEXT("1e"), "Expected a digit but found the end"},
    {TEXT("1e+"), "Expected a digit"},
    {TEXT("1e-x"), "Expected a digit but found 'x'"},
    {TEXT("0x10"), "nothing may follow the value"},
    {TEXT("1_000"), "nothing may follow the value"},
    {TEXT("1,5"), "nothing may follow the value"},
    {TEXT("1e400"), "a number is too large"},
    {TEXT("[-1e400]"), "a number is too large"},
    {TEXT("1e99999999999999999999"), "a number is too large"},
    // strings
    {TEXT("\""), "a string has no end"},
    {TEXT("\"a"), "a string has no end"},
    {TEXT("\"\\\""), "a string has no end"},
    {TEXT("'a'"), "Expected a value but found '''"},
    {TEXT("\"a\tb\""), "a control character in a string must be escaped"},
    {TEXT("{\"a\nb\": 1}"), "a control character in a string must be escaped"},
    {TEXT("\"a\\\"\x1f\""), "a control character in a string must be escaped"},
    {TEXT("[\"\\\\\", \"\r\"]"), "a control character in a string must be escaped"},
    {TEXT("\"a\0b\""), "a control character in a string must be escaped"},
    {TEXT("\"\\\n\""), "a control character in a string must be escaped"},
    {TEXT("\"\\a\""), "an escape in a string"},
    {TEXT("\"\\x41\""), "an escape in a string"},
    {TEXT("\"\\u\""), "an escape in a string"},
    {TEXT("\"\\u12\""), "an escape in a string"},
    {TEXT("\"\\u12g4\""), "an escape in a string"},
    {TEXT("\"\\U0041\""), "an escape in a string"},
    {TEXT("\"\\ud800\""), "half a surrogate pair"},
    {TEXT("\"\\udc00\""), "half a surrogate pair"},
    {TEXT("\"\\ud800\\n\""), "half a surrogate pair"},
    {TEXT("\"\\ud800\\ud800\""), "half a surrogate pair"},
    {TEXT("\"\\ud800\\u0041\""), "half a surrogate pair"},
    {TEXT("\"\\udf0a\\ud83c\""), "half a surrogate pair"},
    {TEXT("\"\\ud83c\\udf0\""), "half a surrogate pair"},
    {TEXT("\"\xff\""), "text must be UTF-8"},
    {TEXT("\"\xc3\""), "text must be UTF-8"},
    {TEXT("\"\xed\xa0\x80\""), "text must be UTF-8"},
    {TEXT("\"\xc0\x80\""), "text must be UTF-8"},
    {TEXT("\"\xf4\x90\x80\x80\""), "text must be UTF-8"},
    {TEXT("{\"\xc3\": 1}"), "text must be UTF-8"},
};

static void what_is_no_json_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refuseds / sizeof *refuseds; i++) {
    const struct refused *row = &refuseds[i];
    if (decode_copy(slice_of(row->text, row->bytes)) != 3) fail_msg("%s is taken", row->text);
    assert_true(lua_isnil(vm->L, 1));
    if (strstr(lua_tostring(vm->L, 2), row->says) == NULL)
      fail_msg("%s: %s, not %s", row->text, lua_tostring(vm->L, 2), row->says);
    assert_string_equal(lua_tostring(vm->L, 3), "json");
  }
}

static void control_characters_in_strings_are_escaped_both_ways(void **state) {
  (void)state;
  for (int c = 0; c < 0x20; c++) {
    char text[] = {'"', (char)c, '"'};
    assert_int_equal(decode_copy(slice_of(text, sizeof text)), 3);
    lua_settop(vm->L, 0);
    lua_pushlstring(vm->L, text + 1, 1);
    assert_true(json_try_encode(vm->L, 1));
    struct slice written;
    written.ptr = lua_tolstring(vm->L, -1, &written.len);
    assert_int_equal(written.ptr[1], '\\');
    assert_int_equal(json_decode(vm->L, written), 1);
    assert_true(lua_rawequal(vm->L, 1, -1));
  }
}

// ---- from Lua ------------------------------------------------------------------------------

// What the Lua expression comes to, as text.
static const char *evaluate(const char *expression) {
  char *code = mem_format("return tostring((function(...) return ... end)(%s))", expression);
  lua_settop(vm->L, 0);
  bool ok = luaL_dostring(vm->L, code) == LUA_OK;
  free(code);
  if (!ok) print_error("%s\n", lua_tostring(vm->L, -1));
  return lua_tostring(vm->L, -1);
}

struct row {
  const char *expression, *value;
};

static void expect_rows(const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *value = evaluate(rows[i].expression);
    if (strcmp(value, rows[i].value) != 0)
      fail_msg("%s: %s, not %s", rows[i].expression, value, rows[i].value);
  }
}

#define expect_each(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void tables_are_objects_or_arrays(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"json.encode {}", "{}"},
      {"json.encode(json.array {})", "[]"},
      {"json.encode(json.array())", "[]"},
      {"json.encode { a = json.array {} }", "{\"a\":[]}"},
      {"json.encode(json.decode '{\"a\":[]}')", "{\"a\":[]}"},
      {"json.encode { 1, 2, 3 }", "[1,2,3]"},
      {"json.encode { 1, nil, 3 }", "[1,null,3]"},
      {"json.encode { [2] = 'b' }", "[null,\"b\"]"},
      {"json.encode { 1, a = 2 }:gsub(',?\"a\":2,?', '')", "{\"1\":1}"},
      {"json.encode { [1.5] = 1 }", "{\"1.5\":1}"},
      {"json.encode { [0] = 1 }", "{\"0\":1}"},
      {"json.encode { [-1] = 1 }", "{\"-1\":1}"},
      {"json.encode { [9007199254740993] = 1, a = 1 }:match '%d%d+'", "9007199254740993"},
      // a mark is kept by what is done with a list
      {"(function() local t = json.decode '[1]' t[1] = nil return json.encode(t) end)()", "[]"},
      {"(function() local t = json.array {} t[1] = 'x' return json.encode(t) end)()", "[\"x\"]"},
      {"(function() local t = {} return json.array(t) == t end)()", "true"},
      {"json.encode(json.array(json.array { 1 }))", "[1]"},
      {"#json.decode '[1,2,3]'", "3"},
      // and cannot be changed for other lists
      {"getmetatable(json.array())", "tidegate.array"},
      {"pcall(setmetatable, json.array(), {})", "false"},
      {"select(2, pcall(json.array, setmetatable({}, {})))",
       "bad argument #1 to '?' (a table with a metatable cannot be marked as an array)"},
      {"pcall(json.array, 5)", "false"},
      // as many elements as the reader holds back, and around it
      {"(function() for n = 0, 200 do local t = {} for i = 1, n do t[i] = i end "
       "local text = '[' .. table.concat(t, ',') .. ']' "
       "if json.encode(json.decode(text)) ~= text then return n end end return 'all' end)()",
       "all"},
      {"(function() for n = 0, 200 do local t = {} for i = 1, n do t[i] = ('\"k%d\":%d'):format(i, "
       "i) end local got, count = json.decode('{' .. table.concat(t, ',') .. '}'), 0 "
       "for k, v in pairs(got) do if k == 'k' .. v then count = count + 1 end end "
       "if count ~= n then return n end end return 'all' end)()",
       "all"},
  };
  expect_each(rows);
}

static void what_has_no_json_form_is_named_with_its_place(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"select(2, json.encode(print))", "Cannot serialise function: type not supported"},
      {"select(3, json.encode(print))", "json"},
      {"select(2, json.encode { a = { { f = print } } })",
       "Cannot serialise function: type not supported (at .a[1].f)"},
      {"select(2, json.encode { x = { 1, 0/0 } })",
       "Cannot serialise number: must not be NaN or Infinity (at .x[2])"},
      {"select(2, json.encode(1/0))", "Cannot serialise number: must not be NaN or Infinity"},
      {"select(2, json.encode { [1] = 1, [1000] = 2 })",
       "Cannot serialise table: excessively sparse array"},
      {"select(2, json.encode { [true] = 1 })",
       "Cannot serialise table: table key must be a number or string"},
      {"select(2, json.encode { l = json.array { 1, nil, 3 } })",
       "Cannot serialise table: an array has a hole (at .l)"},
      {"select(2, json.encode { l = json.array { 1, x = 3 } })",
       "Cannot serialise table: an array has a key that is no index (at .l.x)"},
      {"select(2, json.encode(json.array { [1.5] = 3 }))",
       "Cannot serialise table: an array has a key that is no index (at [number])"},
      {"select(2, json.encode(json.array { [0] = 3 }))",
       "Cannot serialise table: an array has a key that is no index (at [0])"},
      {"select(2, json.encode { [coroutine.running()] = 1 })",
       "Cannot serialise table: table key must be a number or string"},
      // A name that would tear the message is not shown.
      {"select(2, json.encode { [('\xC3\xA4'):rep(30)] = { print } })",
       "Cannot serialise function: type not supported (at [string][1])"},
      {"select(2, json.encode { ['a\\0b'] = print })",
       "Cannot serialise function: type not supported (at [string])"},
      {"select(2, json.encode { ['\\xff'] = print })",
       "Cannot serialise function: type not supported (at [string])"},
      {"(function() local t = {} t.t = t return select(2, json.encode(t)):match '^[^(]*' end)()",
       "Cannot serialise table, excessive nesting "},
      {"(function() local t = { print } for i = 1, 40 do t = { [('k'):rep(30)] = t } end "
       "return #select(2, json.encode(t)) < 200 end)()",
       "true"},
  };
  expect_each(rows);
}

static void nesting_has_a_bound_both_ways(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"json.encode(json.decode(('['):rep(1000) .. (']'):rep(1000))) == ('['):rep(1000) .. "
       "(']'):rep(1000)",
       "true"},
      {"select(2, json.decode(('['):rep(1001) .. (']'):rep(1001)))", "JSON is nested too deeply"},
      {"select(2, json.decode(('{\"a\":'):rep(1001)))", "JSON is nested too deeply"},
      {"select(2, json.decode(('['):rep(500000)))", "JSON is nested too deeply"},
      {"json.encode(json.decode(('{\"a\":'):rep(1000) .. '1' .. ('}'):rep(1000))):len()", "6001"},
      {"(function() local t = {} for i = 1, 1000 do t = { t } end "
       "return select(2, json.encode(t)):match '^[^(]*' end)()",
       "Cannot serialise table, excessive nesting "},
  };
  expect_each(rows);
}

// Forty tables whose text would have 2^40 elements.
static void a_text_that_no_memory_holds_is_refused(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"(function() local t = json.array() for i = 1, 40 do t = { t, t } end "
       "return select(2, json.encode(t)):match '^[^(]*' end)()",
       "Cannot serialise value: the text takes more than half of vm_memory "},
      {"select(2, json.encode(('\\1'):rep(1 << 20)))",
       "Cannot serialise value: the text takes more than half of vm_memory"},
  };
  expect_each(rows);
}

// Nothing of C is lost when memory runs out on the way, and the VM can be used after it.
static void a_lack_of_memory_is_an_error(void **state) {
  (void)state;
  const char *code =
      "return pcall(json.decode, '[' .. ('[\"a\\\\n\",{\"b\":[1,2,3]}],'):rep(5000) .. '0]')";
  unsigned failures = 0, successes = 0;
  for (size_t room = 0; room < 3000000; room += 250000) {
    lua_settop(vm->L, 0);
    lua_gc(vm->L, LUA_GCCOLLECT);
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room;
    int status = luaL_dostring(vm->L, code);
    vm->memory_max_bytes = FIXTURE_MEMORY;
    bool ok = status == LUA_OK && lua_toboolean(vm->L, 1);
    if (ok) assert_true(lua_istable(vm->L, 2));
    *(ok ? &successes : &failures) += 1;
  }
  assert_true(failures > 0 && successes > 0);
  assert_string_equal(evaluate("json.encode(json.decode '[1]')"), "[1]");
}

static void the_locale_changes_nothing(void **state) {
  (void)state;
  bool is_german = german_start();
  if (is_german) expect_taken();
  german_end();
  if (!is_german) skip();
}

#define json_test(name) cmocka_unit_test_setup_teardown(name, open_vm, close_vm)

int main(void) {
  const struct CMUnitTest tests[] = {
      json_test(what_is_json_comes_back),
      json_test(cut_anywhere_it_is_refused_or_another_value),
      json_test(exponents_count_whole_however_long_the_digits_are),
      json_test(what_is_no_json_is_refused),
      json_test(control_characters_in_strings_are_escaped_both_ways),
      json_test(tables_are_objects_or_arrays),
      json_test(what_has_no_json_form_is_named_with_its_place),
      json_test(nesting_has_a_bound_both_ways),
      json_test(a_text_that_no_memory_holds_is_refused),
      json_test(a_lack_of_memory_is_an_error),
      json_test(the_locale_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
