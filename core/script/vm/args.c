// Arguments of bindings: see args.h.
#include "script/vm/args.h"

#include <lauxlib.h>
#include <math.h>
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

// ---- options -------------------------------------------------------------

void args_check_options(lua_State *L, int index, const char *const *names, const char *what) {
  index = lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "%s: options are name = value (got [%s])", what, luaL_tolstring(L, -1, NULL));
    const char *key = lua_tostring(L, -1);
    size_t i = 0;
    while (names[i] != NULL && strcmp(names[i], key) != 0) i++;
    if (names[i] == NULL) luaL_error(L, "%s: unknown option \"%s\"", what, key);
  }
}

struct slice args_opt_slice_field(lua_State *L, int index, const char *name, const char *what) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 2, NULL);
  int type = lua_getfield(L, index, name);
  if (type != LUA_TNIL && type != LUA_TSTRING && type != LUA_TNUMBER) {
    luaL_error(L, "%s: %s must be a string, got %s", what, name, luaL_typename(L, -1));
  }
  struct slice text = {0};
  if (type != LUA_TNIL) text.ptr = lua_tolstring(L, -1, &text.len);
  return text;
}

double args_opt_number_field(lua_State *L, int index, const char *name, const char *what,
                             double least, double most, double otherwise) {
  double value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    bool is_number = lua_type(L, -1) == LUA_TNUMBER;
    value = is_number ? lua_tonumber(L, -1) : NAN;
    if (!(value >= least && value <= most)) {
      const char *got = is_number ? luaL_tolstring(L, -1, NULL) : luaL_typename(L, -1);
      luaL_error(L, "%s: %s must be a number from %I to %I (got %s)", what, name,
                 (LUAI_UACINT)least, (LUAI_UACINT)most, got);
    }
  }
  lua_pop(L, 1);
  return value;
}

bool args_opt_flag_field(lua_State *L, int index, const char *name, bool otherwise) {
  bool value = lua_getfield(L, index, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}
