// Hints: what is added to which message of Lua, and that all others stay as they are.
#include "script_fixture.h"

#include "script/vm/box.h"
#include "script/vm/hint.h"

static struct box_type horn = {.name = "test.horn"};

static int blow(lua_State *L) {
  box_check(L, 1, &horn);
  return 0;
}

static int horn_index(lua_State *L) {
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

static int rest(lua_State *L) {
  luaL_checknumber(L, 1);
  return 0;
}

static int miss(lua_State *L) {
  lua_settop(L, 2);
  hint_note_miss(L, 1, 2);
  return 0;
}

static void open_horns(lua_State *L) {
  static const luaL_Reg methods[] = {{"blow", blow}, {"polish", blow}, {NULL, NULL}};
  box_new_type(L, &horn);
  luaL_newlib(L, methods);
  lua_pushcclosure(L, horn_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_register(L, "rest", rest);
  lua_register(L, "miss", miss);
  box_push(L, &horn, 1, 0);
  lua_setglobal(L, "h");
}

static struct script_module horns = {.name = "horns", .open = open_horns};
static struct script_module *const modules[] = {&box_module, &horns, &task_module, NULL};

static const struct row {
  const char *code, *end;  // end: of the message
} rows[] = {
    {"h:blwo()", "attempt to call a nil value (method 'blwo'); did you mean horn:blow?"},
    {"h:Polish()", "; did you mean horn:polish?"},
    {"local o = {} o:blow()", "(method 'blow'); blow is a method of horn"},
    {"h:emit('x')", "(method 'emit'); did you mean send, or gate.publish for a topic?"},
    {"h:param()", "(method 'param'); did you mean the field params?"},
    {"h:whistle()", "attempt to call a nil value (method 'whistle')"},
    {"local o = { query = {} } o:query()",
     "(method 'query'); query is a field: write .query, without parentheses"},
    {"local o = { f = h.blow } return o.f.x", "attempt to index a function value (field 'f')"},
    {"return 'x' .. h.blow", "(field 'blow'); blow is a method: write horn:blow(...)"},
    {"return h.blow.x", "(field 'blow'); blow is a method: write horn:blow(...)"},
    {"return h.quary.x", "attempt to index a nil value (field 'quary'); did you mean query?"},
    {"return h.headers.x", "(field 'headers'); headers is a field of req"},
    {"h:cookies()", "(method 'cookies'); cookies is a field of req"},
    {"local o = {} return o.data.x", "(field 'data'); data is a field of ws and stream"},
    {"return h.depth.x", "attempt to index a nil value (field 'depth')"},
    {"gate.get('/')", "(global 'gate'); the script lacks local gate = require \"tidegate\""},
    {"other.get('/')", "attempt to index a nil value (global 'other')"},
    {"local o = { rest = rest } o:rest()",
     "calling 'rest' on bad self (number expected, got table); rest is called with a dot, not with "
     "a colon"},
    {"local o = {} o.gte()", "attempt to call a nil value (field 'gte')"},
    {"local o = {} miss('gte', 'o.get') o.gte()", "(field 'gte'); did you mean o.get?"},
    {"local o = {} miss('gte', 'o.get') o.other()", "attempt to call a nil value (field 'other')"},
    {"local o = {} miss('loq', 'o.log') return o.loq.x", "(field 'loq'); did you mean o.log?"},
    {"local o = {} miss('gte', 'o.get') miss('gte') o.gte()",
     "attempt to call a nil value (field 'gte')"},
    {"h.blow('x')",
     "horn.blow: write horn:blow(...), with a colon (the first argument is no horn: "
     "got string)"},
    {"error('mine', 0)", "mine"},
    {"error('(method', 0)", "(method"},
    {"error(\"attempt to call a nil value (method 'x\", 0)",
     "attempt to call a nil value (method 'x"},
    {"error(5, 0)", "5"},
    {"error({})", "(error object is a table value)"},
};

static void each_message_has_its_hint(void **state) {
  (void)state;
  struct vm *vm = fixture_vm(modules);
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture_ends ends = {0};
    fixture_run(vm, &ends, rows[i].code);
    size_t have = strlen(ends.error), want = strlen(rows[i].end);
    if (have >= want && strcmp(ends.error + have - want, rows[i].end) == 0) continue;
    print_error("%s: \"%s\" does not end in \"%s\"\n", rows[i].code, ends.error, rows[i].end);
    wrong++;
  }
  assert_int_equal(wrong, 0);
  vm_free(vm);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_message_has_its_hint)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
