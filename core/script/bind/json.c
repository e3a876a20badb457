// core.json: encode, decode, null.
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
static int decode(lua_State *L) {
  luaL_checkstring(L, 1);
  return json_decode(L, 1);
}

static const luaL_Reg functions[] = {{"encode", encode}, {"decode", decode}, {NULL, NULL}};

static void open_module(lua_State *L) {
  luaL_newlib(L, functions);
  json_open(L);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
}

struct script_module bind_json = {.name = "json", .open = open_module};
