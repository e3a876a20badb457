// A Lua state with limits: see limited.h.
#include "script/reload/limited.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <time.h>

#include "script/vm/standard.h"

enum { CHECK_EVERY = 10000 };  // instructions

static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *capped_alloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes) {
  struct limited *limited = ctx;
  size_t others = limited->held_bytes - (ptr != NULL ? old_bytes : 0);
  if (new_bytes > limited->max_bytes - others) return NULL;
  void *moved = NULL;
  if (new_bytes == 0)
    free(ptr);
  else if ((moved = realloc(ptr, new_bytes)) == NULL)
    return NULL;
  limited->held_bytes = others + new_bytes;
  return moved;
}

// Coroutines inherit the hook.
static void check_time(lua_State *L, lua_Debug *debug) {
  (void)debug;
  const struct limited *limited = *(struct limited **)lua_getextraspace(L);
  if (cpu_ns() - limited->cpu_ns < limited->max_ns) return;
  lua_sethook(L, check_time, LUA_MASKCOUNT, 1);  // a pcall in the file cannot hide from it
  luaL_where(L, 0);
  lua_pushliteral(L, "ran for longer than handler_time allows");
  lua_concat(L, 2);
  lua_error(L);
}

// setmetatable(table, metatable), as Lua's own (upvalue 1), but for finalizers.
static int set_metatable(lua_State *L) {
  if (lua_istable(L, 2)) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) return luaL_error(L, "there is no __gc in this file");
  }
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 2, 1);
  return 1;
}

static void remove_field(lua_State *L, const char *name) {
  lua_pushnil(L);
  lua_setfield(L, -2, name);
}

static int open_libraries(lua_State *L) {
  luaL_openlibs(L);
  standard_replace(L);
  lua_pushglobaltable(L);
  remove_field(L, LUA_DBLIBNAME);
  lua_getfield(L, -1, LUA_OSLIBNAME);
  remove_field(L, "setlocale");  // it would be that of the whole process
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  remove_field(L, LUA_DBLIBNAME);
  lua_getglobal(L, "setmetatable");
  lua_pushcclosure(L, set_metatable, 1);
  lua_setglobal(L, "setmetatable");
  return 0;
}

bool limited_open(struct limited *limited, uint64_t time_ms, size_t max_bytes) {
  *limited = (struct limited){.max_bytes = max_bytes, .max_ns = time_ms * 1000000u};
  limited->cpu_ns = cpu_ns();
  limited->L = lua_newstate(capped_alloc, limited);
  if (limited->L == NULL) return false;
  *(struct limited **)lua_getextraspace(limited->L) = limited;
  lua_pushcfunction(limited->L, open_libraries);
  if (lua_pcall(limited->L, 0, 0, 0) != LUA_OK) {
    limited_close(limited);
    return false;
  }
  lua_sethook(limited->L, check_time, LUA_MASKCOUNT, CHECK_EVERY);
  return true;
}

void limited_close(struct limited *limited) { lua_close(limited->L); }
