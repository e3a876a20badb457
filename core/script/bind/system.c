// core.log, env, dir, version, url_decode.
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proto/url.h"
#include "script/bind/modules.h"
#include "script/vm/args.h"
#include "script/vm/vm.h"

// Raises when the first argument is the table of these functions: gate.log:info("x").
static void refuse_colon(lua_State *L) {
  if (!lua_istable(L, 1)) return;
  lua_pushliteral(L, "info");
  if (lua_rawget(L, 1) == LUA_TFUNCTION)
    luaL_error(L, "log: write gate.log.info(...), with a dot instead of the colon");
  lua_pop(L, 1);
}

// log.info(...): the arguments as by tostring, joined with spaces
static int write_log(lua_State *L) {
  enum log_level level = (enum log_level)lua_tointeger(L, lua_upvalueindex(1));
  int count = lua_gettop(L);
  refuse_colon(L);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&text, ' ');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  struct slice line = args_check_slice(L, -1);
  log_write_text(level, line.ptr, line.len);
  return 0;
}

static void open_log(lua_State *L) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  lua_createtable(L, 0, 4);
  for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
    lua_pushinteger(L, level);
    lua_pushcclosure(L, write_log, 1);
    lua_setfield(L, -2, names[level]);
  }
  lua_setfield(L, -2, "log");
}

// env.NAME -> string | nil
static int env_index(lua_State *L) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing changes the environment
  lua_pushstring(L, getenv(luaL_checkstring(L, 2)));
  return 1;
}

static int env_newindex(lua_State *L) { return luaL_error(L, "gate.env is read-only"); }

static void open_env(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, env_index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, env_newindex);
  lua_setfield(L, -2, "__newindex");
  vm_lock_metatable(L);
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "env");
}

// url_decode(text) -> text without percent codes | nil
static int decode(lua_State *L) {
  struct slice text = args_check_slice(L, 1);
  luaL_Buffer buffer;
  long len = url_decode(text, luaL_buffinitsize(L, &buffer, text.len));
  luaL_pushresultsize(&buffer, len < 0 ? 0 : (size_t)len);
  if (len < 0) lua_pushnil(L);
  return 1;
}

static const luaL_Reg functions[] = {{"url_decode", decode}, {NULL, NULL}};

static void open_module(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  open_log(L);
  open_env(L);
  lua_pushstring(L, vm_of(L)->dir);
  lua_setfield(L, -2, "dir");
  lua_pushliteral(L, TIDEGATE_VERSION);
  lua_setfield(L, -2, "version");
}

struct script_module bind_system = {.name = "system", .open = open_module};
