// core.keep: values that survive reloads. A name that is first kept while scripts load is
// their generation's until it goes live, so that a load that fails leaves none behind.
#include <lauxlib.h>
#include <lua.h>

#include "script/bind/modules.h"
#include "script/reload/generation.h"
#include "script/vm/vm.h"

static char kept_key;  // registry key of the table of all kept values

// Of a generation: reference to the table of what it kept first.
struct fresh {
  int ref;
};

// Pushes the table that a new name goes to.
static void push_target(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (vm->loading == NULL) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
    return;
  }
  struct fresh *fresh = generation_state(vm->loading, &bind_keep);
  if (fresh->ref == LUA_NOREF) {
    lua_newtable(L);
    fresh->ref = vm_ref(L);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, fresh->ref);
}

// Pushes the value of the name at index 1 in the table on top; false (and nothing) if none.
static bool find_in(lua_State *L) {
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

// keep(name [, init]) -> the value of that name, which survives reloads on this
// worker; init (default {}) the first time, called when it is a function
static int keep(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
  if (find_in(L)) return 1;
  push_target(L);
  int target = lua_gettop(L);
  if (find_in(L)) return 1;
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
  } else {
    lua_pushvalue(L, 2);
    if (lua_isfunction(L, 2)) lua_call(L, 0, 1);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -2);
  lua_rawset(L, target);
  return 1;
}

// ---- the module ----------------------------------------------------------

static const luaL_Reg functions[] = {{"keep", keep}, {NULL, NULL}};

static void open_module(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kept_key);
}

static void declare(struct generation *generation) {
  ((struct fresh *)generation_state(generation, &bind_keep))->ref = LUA_NOREF;
}

static void forget(struct generation *generation) {
  const struct fresh *fresh = generation_state(generation, &bind_keep);
  vm_unref(generation->vm, fresh->ref);
}

// The scripts that go live hold these values, so they win over what a handler of the
// generation before has kept under the same name meanwhile.
static int merge(lua_State *L) {
  const struct fresh *fresh = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kept_key);
  lua_rawgeti(L, LUA_REGISTRYINDEX, fresh->ref);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 2);
  }
  return 0;
}

static void switch_to(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  struct fresh *fresh = generation_state(next, &bind_keep);
  if (fresh->ref == LUA_NOREF) return;
  vm_enter(vm, merge, fresh, "gate.keep");
  vm_unref(vm, fresh->ref);
  fresh->ref = LUA_NOREF;
}

struct script_module bind_keep = {.name = "keep",
                                  .open = open_module,
                                  .declare = declare,
                                  .forget = forget,
                                  .switch_to = switch_to,
                                  .generation_state_bytes = sizeof(struct fresh)};
