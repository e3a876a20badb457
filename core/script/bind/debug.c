// The debug library, as far as it looks at scripts: what would reach the state of C, the
// coroutines of the server or what all generations share, raises.
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>

#include "script/bind/modules.h"

static const char *const refused[] = {"debug",        "getregistry",    "getuservalue",
                                      "sethook",      "setcstacklimit", "setlocal",
                                      "setmetatable", "setuservalue"};

enum { LEVELS_MAX = 1 << 20 };  // beyond what Lua's stack holds

static int refuse(lua_State *L) {
  return luaL_error(L, "debug.%s is not for scripts: it would reach into the server",
                    lua_tostring(L, lua_upvalueindex(1)));
}

// The coroutine that the arguments may begin with; *shift is 1 if they do.
static lua_State *coroutine_of(lua_State *L, int *shift) {
  *shift = lua_isthread(L, 1);
  return *shift ? lua_tothread(L, 1) : L;
}

// Runs the original, upvalue 1, with all arguments.
static int call_original(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

// getinfo([co,] function | level [, what]): without the function of a level that is C. The server
// has some that only it may call.
static int get_info(lua_State *L) {
  int shift;
  lua_State *co = coroutine_of(L, &shift);
  bool is_level = lua_isnumber(L, shift + 1);
  if (is_level && co == L) {
    lua_Integer level = luaL_checkinteger(L, shift + 1);
    // This function is a level more.
    lua_pushinteger(L, level >= 0 && level < LEVELS_MAX ? level + 1 : LEVELS_MAX);
    lua_replace(L, shift + 1);
  }
  call_original(L);
  if (!is_level || !lua_istable(L, 1)) return 1;
  lua_pushliteral(L, "func");
  lua_pushvalue(L, -1);
  if (lua_rawget(L, 1) == LUA_TFUNCTION && lua_iscfunction(L, -1)) {
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawset(L, 1);
  }
  lua_settop(L, 1);
  return 1;
}

// getlocal([co,] function | level, n): nothing of C functions.
static int get_local(lua_State *L) {
  int shift;
  lua_State *co = coroutine_of(L, &shift);
  int n = (int)luaL_checkinteger(L, shift + 2);
  lua_Debug at;
  if (lua_isfunction(L, shift + 1)) {
    lua_pushvalue(L, shift + 1);
    lua_pushstring(L, lua_getlocal(L, NULL, n));
    return 1;
  }
  lua_Integer level = luaL_checkinteger(L, shift + 1);
  if (level < 0 || level > LEVELS_MAX || !lua_getstack(co, (int)level, &at))
    return luaL_argerror(L, shift + 1, "level out of range");
  lua_getinfo(co, "S", &at);
  if (strcmp(at.what, "C") == 0 || !lua_checkstack(co, 1)) return 0;
  const char *name = lua_getlocal(co, &at, n);
  if (name == NULL) return 0;
  lua_xmove(co, L, 1);
  lua_pushstring(L, name);
  lua_insert(L, -2);
  return 2;
}

// getupvalue and setupvalue(function, n [, value]): nothing of C functions.
static int upvalue(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  return lua_iscfunction(L, 1) ? 0 : call_original(L);
}

static void wrap(lua_State *L, const char *name, lua_CFunction fn) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -2, name);
}

static void open_module(lua_State *L) {
  lua_getglobal(L, "debug");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    lua_pushstring(L, refused[i]);
    lua_pushcclosure(L, refuse, 1);
    lua_setfield(L, -2, refused[i]);
  }
  wrap(L, "getinfo", get_info);
  wrap(L, "getlocal", get_local);
  wrap(L, "getupvalue", upvalue);
  wrap(L, "setupvalue", upvalue);
  lua_getglobal(L, "getmetatable");  // which does not show those that are locked
  lua_setfield(L, -2, "getmetatable");
  lua_pop(L, 1);
}

struct script_module bind_debug = {.name = "debug", .open = open_module};
