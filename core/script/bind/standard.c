// The standard library: closes the holes that could stop the server.
#include <lauxlib.h>
#include <lua.h>

#include "script/bind/modules.h"
#include "script/vm/watchdog.h"

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit would stop the server; raise an error instead");
}

// coroutine.create whose coroutines the watchdog can reach.
static int guarded_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  watchdog_guard_coroutine(co);
  return 1;
}

static const char guarded_wrap[] =
    "local create, resume, error = ...\n"
    "local function pass(ok, ...) if ok then return ... end error((...), 0) end\n"
    "return function(f) local co = create(f) return function(...) return pass(resume(co, ...)) end "
    "end";

static void open_module(lua_State *L) {
  lua_getglobal(L, "os");
  lua_pushcfunction(L, no_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  lua_getglobal(L, "coroutine");
  lua_pushcfunction(L, guarded_create);
  lua_setfield(L, -2, "create");
  if (luaL_loadstring(L, guarded_wrap) != LUA_OK) lua_error(L);
  lua_getfield(L, -2, "create");
  lua_getfield(L, -3, "resume");
  lua_getglobal(L, "error");
  lua_call(L, 3, 1);
  lua_setfield(L, -2, "wrap");
  lua_pop(L, 1);
}

struct script_module bind_standard = {.name = "standard", .open = open_module};
