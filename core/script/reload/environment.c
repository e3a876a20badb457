// Environments of generations: see environment.h.
#include "script/reload/environment.h"

#include <lauxlib.h>
#include <string.h>

#include "base/nearest.h"
#include "script/reload/bundle.h"
#include "script/reload/library.h"

// ---- modules -------------------------------------------------------------

// Loads a chunk's bytecode as a function in the environment.
static void push_chunk(lua_State *L, const struct environment *environment,
                       const struct chunk *chunk) {
  struct slice code = buf_slice(&chunk->code);
  if (luaL_loadbufferx(L, code.ptr, code.len, chunk->path, "b") != LUA_OK) lua_error(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, environment->env_ref);
  lua_setupvalue(L, -2, 1);
}

// Marks a module in the cache while it loads, to tell a cycle from a second use.
static char loading_mark;

// Message handler: the error itself is the script's, which may catch it. Modules that required
// the one that failed let the same error through.
static int note_place(lua_State *L) {
  struct environment *environment = lua_touserdata(L, lua_upvalueindex(1));
  const void *error = lua_topointer(L, 1);
  if (error == NULL || error != environment->failed_with) place_find(L, environment->failed_at);
  environment->failed_with = error;
  return 1;
}

void environment_push_module(lua_State *L, struct environment *environment,
                             const struct chunk *chunk) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, environment->cache_ref);
  int cache = lua_gettop(L);
  if (lua_getfield(L, cache, chunk->module) != LUA_TNIL) {
    if (lua_touserdata(L, -1) == &loading_mark) {
      luaL_error(L, "module \"%s\" requires itself in a cycle", chunk->module);
    }
    lua_remove(L, cache);
    return;
  }
  lua_pop(L, 1);
  lua_pushlightuserdata(L, &loading_mark);
  lua_setfield(L, cache, chunk->module);
  lua_pushlightuserdata(L, environment);
  lua_pushcclosure(L, note_place, 1);
  push_chunk(L, environment, chunk);
  lua_pushstring(L, chunk->module);
  lua_pushstring(L, chunk->path);
  if (lua_pcall(L, 2, 1, cache + 1) != LUA_OK) {
    lua_pushnil(L);  // so that the next require tells the same error, not a cycle
    lua_setfield(L, cache, chunk->module);
    lua_error(L);
  }
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, cache, chunk->module);
  lua_replace(L, cache);
  lua_settop(L, cache);
}

// The server's own functions, on top of the stack: a copy that this generation keeps.
static void push_own_copy(lua_State *L, const char *name) {
  library_copy_deep(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, lua_upvalueindex(2), name);
}

// What a script has put into package.preload.
static bool push_preloaded(lua_State *L, const struct environment *environment, const char *name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, environment->env_ref);
  if (library_push_preload(L, lua_gettop(L), name) != LUA_TFUNCTION) return false;
  lua_pushstring(L, name);
  lua_pushliteral(L, ":preload:");
  lua_call(L, 2, 1);
  if (lua_isnil(L, -1)) lua_pushboolean(L, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, lua_upvalueindex(2), name);
  return true;
}

// `require` for scripts and framework; upvalues: the generation, its cache, its number,
// its environment. The first and the last may be gone.
static int require_module(lua_State *L) {
  const struct generation *generation = lua_touserdata(L, lua_upvalueindex(1));
  struct environment *environment = lua_touserdata(L, lua_upvalueindex(4));
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  if (lua_getfield(L, lua_upvalueindex(2), name) != LUA_TNIL &&
      lua_touserdata(L, -1) != &loading_mark)
    return 1;
  lua_pop(L, 1);
  struct vm *vm = vm_of(L);
  bool is_loading = vm->loading == generation;
  // The number too: a later generation may lie at the same address.
  bool is_live =
      vm->live == generation && environment->number == lua_tointeger(L, lua_upvalueindex(3));
  if (!is_loading && !is_live) {
    return luaL_error(L,
                      "module \"%s\": the scripts were reloaded while this handler waited; "
                      "require it while scripts load",
                      name);
  }
  const struct chunk *chunk = bundle_find(environment->bundle, name);
  if (chunk != NULL) {
    environment_push_module(L, environment, chunk);
    return 1;
  }
  if (push_preloaded(L, environment, name)) return 1;
  // What is not a script: the program's own modules and what the system has.
  lua_getglobal(L, "require");
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
    if (strcmp(name, "tidegate.core") == 0) push_own_copy(L, name);
    return 1;
  }
  // Lua's own message lists every path it tried, and no position.
  const char *reason = lua_tostring(L, -1);
  if (reason == NULL || strncmp(reason, "module '", 8) != 0) return lua_error(L);
  static const char *const known[] = {"tidegate"};
  const char *near = nearest_name(name, known, 1);
  const char *hint = near != NULL ? lua_pushfstring(L, "; did you mean \"%s\"?", near) : "";
  return luaL_error(L, "there is no module \"%s\", neither among the scripts nor on the system%s",
                    name, hint);
}

// ---- the environment -----------------------------------------------------

// A fresh environment: copies of the standard tables, so that what one generation patches into
// `table` does not live on in the next. Methods of strings look into the original `string`.
static void push_table(lua_State *L, const struct environment *environment) {
  library_push_globals(L);
  lua_pushlightuserdata(L, (void *)environment->generation);
  lua_rawgeti(L, LUA_REGISTRYINDEX, environment->cache_ref);
  lua_pushinteger(L, environment->number);
  lua_pushlightuserdata(L, (void *)environment);
  lua_pushcclosure(L, require_module, 4);
  lua_setfield(L, -2, "require");
  // package.loaded is this generation's cache.
  if (lua_getfield(L, -1, "package") == LUA_TTABLE) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, environment->cache_ref);
    lua_setfield(L, -2, "loaded");
  }
  lua_pop(L, 1);
}

void environment_open(lua_State *L, struct environment *environment,
                      const struct generation *generation, const struct bundle *bundle,
                      unsigned number) {
  environment->generation = generation;
  environment->bundle = bundle;
  environment->number = number;
  lua_newtable(L);
  environment->cache_ref = vm_ref(L);
  push_table(L, environment);
  environment->env_ref = vm_ref(L);
}

void environment_close(struct vm *vm, struct environment *environment) {
  vm_unref(vm, environment->env_ref);
  vm_unref(vm, environment->cache_ref);
}
