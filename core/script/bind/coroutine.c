// The coroutine library: coroutines of scripts are watched, and those of the server, which
// coroutine.running gives away, can be looked at and no more.
#include <lauxlib.h>
#include <lua.h>

#include "script/bind/modules.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

#define OF_SERVER "a coroutine of the server: it runs a handler, a timer or the like"

static lua_State *check_coroutine(lua_State *L, int arg) {
  lua_State *co = lua_tothread(L, arg);
  luaL_argexpected(L, co != NULL, arg, "coroutine");
  return co;
}

static int create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  watchdog_guard_coroutine(co);
  return 1;
}

// Pushes what a run of the coroutine left: its results, or one value, why it failed. Returns how
// many results, -1 for a failure.
static int take_results(lua_State *L, lua_State *co, int status, int count) {
  if (watchdog_pass_on(L)) {
    lua_pushstring(L, vm_of(L)->strike.text);
    return -1;
  }
  if (status > LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, count + 1)) {
    lua_pop(co, count);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, count);
  return count;
}

// Resumes the coroutine at `index` with the `args` values on top of L's stack.
static int resume_with(lua_State *L, int index, int args) {
  lua_State *co = lua_tothread(L, index);
  if (task_owns(L, index)) {
    lua_pushliteral(L, "cannot resume " OF_SERVER);
    return -1;
  }
  if (!lua_checkstack(co, args)) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, args);
  int count = 0;
  int status = lua_resume(co, L, args, &count);
  return take_results(L, co, status, count);
}

// coroutine.resume(co, ...) -> true, ... | false, error
static int resume(lua_State *L) {
  check_coroutine(L, 1);
  int count = resume_with(L, 1, lua_gettop(L) - 1);
  lua_pushboolean(L, count >= 0);
  if (count < 0) count = 1;
  lua_insert(L, -count - 1);
  return count + 1;
}

// An error of a wrapped coroutine, on top of the stack: closes it, and names who called it.
static int fail_wrapped(lua_State *L, lua_State *co) {
  if (lua_status(co) > LUA_YIELD && watchdog_can_close(co)) lua_resetthread(co);
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int call_wrapped(lua_State *L) {
  int count = resume_with(L, lua_upvalueindex(1), lua_gettop(L));
  return count >= 0 ? count : fail_wrapped(L, lua_tothread(L, lua_upvalueindex(1)));
}

// coroutine.wrap(fn) -> function
static int wrap(lua_State *L) {
  create(L);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

// coroutine.close(co) -> true | false, error
static int close(lua_State *L) {
  lua_State *co = check_coroutine(L, 1);
  if (task_owns(L, 1)) return luaL_error(L, "cannot close " OF_SERVER);
  if (!watchdog_can_close(co)) {
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "it was ended by handler_time");
    return 2;
  }
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, LUA_MULTRET);
  return lua_gettop(L);
}

static const luaL_Reg functions[] = {
    {"create", create}, {"resume", resume}, {"wrap", wrap}, {NULL, NULL}};

static void open_module(lua_State *L) {
  lua_getglobal(L, "coroutine");
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "close");
  lua_pushcclosure(L, close, 1);
  lua_setfield(L, -2, "close");
  lua_pop(L, 1);
}

struct script_module bind_coroutine = {.name = "coroutine", .open = open_module};
