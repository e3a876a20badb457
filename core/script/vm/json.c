// JSON through lua-cjson: see json.h.
#include "script/vm/json.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <math.h>

#include "base/json.h"
#include "script/vm/vm.h"

static char encode_key, decode_key;  // registry keys of cjson's functions

// Pushes the JSON text, or the reason why there is none. cjson's errors carry no
// position, so each caller raises its own.
bool json_try_encode(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 2, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &encode_key);
  lua_pushvalue(L, index);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);
  return status == LUA_OK;
}

void json_encode(lua_State *L, int index, const char *what) {
  if (!json_try_encode(L, index))
    luaL_error(L, "%s has no JSON form: %s", what, lua_tostring(L, -1));
}

// cjson reads every number as a float; in Lua 5.4 a whole one should print
// without ".0" and index as users expect. Changes the value on top of the stack.
// False when a number is too large for a float: cjson gives infinity for it.
static bool make_integers(lua_State *L) {
  if (lua_type(L, -1) == LUA_TNUMBER) {
    lua_Number number = lua_tonumber(L, -1);
    lua_Integer whole;
    if (!isfinite(number)) return false;
    if (lua_numbertointeger(number, &whole) && (lua_Number)whole == number) {
      lua_pop(L, 1);
      lua_pushinteger(L, whole);
    }
  } else if (lua_istable(L, -1)) {
    luaL_checkstack(L, 4, "JSON is nested too deeply");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      if (lua_type(L, -1) == LUA_TNUMBER || lua_istable(L, -1)) {
        if (!make_integers(L)) return false;
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);  // an existing key: allowed while traversing
      } else {
        lua_pop(L, 1);
      }
    }
  }
  return true;
}

int json_decode(lua_State *L, int index) {
  struct slice text;
  text.ptr = luaL_checklstring(L, index, &text.len);
  lua_pushvalue(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_insert(L, -2);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM) lua_error(L);  // no fault of the text
  if (status != LUA_OK) return vm_fail(L, lua_tostring(L, -1), "json");
  const char *fault = json_find_fault(text);
  if (fault != NULL) return vm_fail(L, fault, "json");
  if (!make_integers(L)) return vm_fail(L, "a number is too large", "json");
  return 1;
}

// Sets an option of the cjson module on top of the stack to false.
static void turn_off(lua_State *L, const char *option) {
  lua_getfield(L, -1, option);
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
}

void json_open(lua_State *L) {
  lua_pushcfunction(L, luaopen_cjson);
  lua_call(L, 0, 1);
  // Inf and NaN are not JSON: neither written nor read.
  turn_off(L, "encode_invalid_numbers");
  turn_off(L, "decode_invalid_numbers");
  lua_getfield(L, -1, "encode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &encode_key);
  lua_getfield(L, -1, "decode");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &decode_key);
  lua_getfield(L, -1, "null");
  lua_remove(L, -2);
}
