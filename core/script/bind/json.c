// core.json: encode, decode, array, null.
#include "script/vm/json.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/utf8.h"
#include "script/bind/modules.h"
#include "script/vm/args.h"
#include "script/vm/vm.h"

// json.encode(value) -> text | nil, message, "json" | "utf8"
static int encode(lua_State *L) {
  luaL_checkany(L, 1);
  if (!json_try_encode(L, 1)) return vm_fail(L, lua_tostring(L, -1), "json");
  if (!utf8_is_valid(args_check_slice(L, -1))) return vm_fail(L, "text must be UTF-8", "utf8");
  return 1;
}

// json.decode(text) -> value | nil, message, "json"
static int decode(lua_State *L) { return json_decode(L, args_check_slice(L, 1)); }

// json.array([table]) -> the table, marked as an array; a new one without
static int array(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1))
    lua_newtable(L);
  else
    luaL_checktype(L, 1, LUA_TTABLE);
  bool is_free = json_is_array(L) || !lua_getmetatable(L, -1);
  luaL_argcheck(L, is_free, 1, "a table with a metatable cannot be marked as an array");
  json_mark_array(L);
  return 1;
}

static const luaL_Reg functions[] = {
    {"encode", encode}, {"decode", decode}, {"array", array}, {NULL, NULL}};

static void open_module(lua_State *L) {
  luaL_newlib(L, functions);
  json_open(L);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
}

struct script_module bind_json = {.name = "json", .open = open_module};
