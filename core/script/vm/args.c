// Arguments of bindings: see args.h.
#include "script/vm/args.h"

#include <lauxlib.h>
#include <string.h>

#include "script/vm/json.h"

struct slice args_check_slice(lua_State *L, int arg) {
  size_t len;
  const char *text = luaL_checklstring(L, arg, &len);
  return slice_of(text, len);
}

struct slice args_check_string(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TSTRING) luaL_typeerror(L, arg, "string");
  struct slice text;
  text.ptr = lua_tolstring(L, arg, &text.len);
  return text;
}

struct slice args_check_payload(lua_State *L, int arg, const char *what) {
  int type = lua_type(L, arg);
  if (type == LUA_TTABLE) {
    json_encode(L, arg, what);
    lua_replace(L, arg);
  } else if (type != LUA_TSTRING) {
    luaL_error(L, "%s must be a string or a table (got %s)", what, luaL_typename(L, arg));
  }
  struct slice payload;
  payload.ptr = lua_tolstring(L, arg, &payload.len);
  return payload;
}

enum message_kind args_check_kind(lua_State *L, int index, const char *what) {
  int type = lua_type(L, index);
  if (type <= LUA_TNIL) return MESSAGE_TEXT;
  const char *kind = type == LUA_TSTRING ? lua_tostring(L, index) : "";
  if (strcmp(kind, "text") == 0) return MESSAGE_TEXT;
  if (strcmp(kind, "binary") == 0) return MESSAGE_BINARY;
  return (enum message_kind)luaL_error(L, "%s: kind must be \"text\" or \"binary\"", what);
}

double args_opt_seconds(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return -1;
  double seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds >= 0, arg, "must be a number of seconds, not negative");
  return seconds;
}
