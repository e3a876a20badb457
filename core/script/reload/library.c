// The libraries of a generation: see library.h.
#include "script/reload/library.h"

#include <lauxlib.h>

// ---- copies --------------------------------------------------------------

// Replaces the table on top by a copy: of it alone.
static void copy(lua_State *L) {
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, -3) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  if (lua_getmetatable(L, -2)) lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

// The tables of the server nest in no cycle.
void library_copy_deep(lua_State *L) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  copy(L);
  int table = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    if (lua_istable(L, -1)) {
      library_copy_deep(L);
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, table);  // an existing key: allowed while traversing
    } else {
      lua_pop(L, 1);
    }
  }
}

// Replaces a table in the table on top by a copy of it alone.
static void copy_field(lua_State *L, const char *name) {
  if (lua_getfield(L, -1, name) == LUA_TTABLE) {
    copy(L);
    lua_setfield(L, -2, name);
  } else {
    lua_pop(L, 1);
  }
}

// ---- what loads text -----------------------------------------------------

// Upvalues: Lua's own function, the globals, the place of the argument for these. Lua's own would
// take the globals of the VM, which all generations have.
static int load_with_globals(lua_State *L) {
  int place = (int)lua_tointeger(L, lua_upvalueindex(3));
  if (lua_gettop(L) < place) {
    lua_settop(L, place - 1);
    lua_pushvalue(L, lua_upvalueindex(2));
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

// The name that a script gives a chunk, or Lua's own for what a function reads: '=' at its start
// would make it one of the framework (vm/place). Messages show a name behind '@' alike.
static void name_chunk(lua_State *L) {
  lua_settop(L, lua_gettop(L) > 2 ? lua_gettop(L) : 2);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (lua_isnil(L, 2) && lua_isfunction(L, 1)) name = "=(load)";
  if (*name != '=') return;
  lua_pushfstring(L, "@%s", name + 1);
  lua_replace(L, 2);
}

// Upvalues: as of load_with_globals.
static int load_named(lua_State *L) {
  name_chunk(L);
  return load_with_globals(L);
}

static int return_all(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return lua_gettop(L);
}

// Upvalues: loadfile, the globals.
static int do_file(lua_State *L) {
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_pushnil(L);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_call(L, 3, 2);
  if (lua_isnil(L, 1)) return lua_error(L);
  lua_settop(L, 1);
  lua_callk(L, 0, LUA_MULTRET, 0, return_all);
  return return_all(L, LUA_OK, 0);
}

// The globals are on top.
static void set_loader(lua_State *L, const char *name, lua_CFunction loader, int place) {
  lua_getfield(L, -1, name);
  lua_pushvalue(L, -2);
  lua_pushinteger(L, place);
  lua_pushcclosure(L, loader, 3);
  lua_setfield(L, -2, name);
}

static void set_loaders(lua_State *L) {
  lua_getfield(L, -1, "loadfile");
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, do_file, 2);
  lua_setfield(L, -2, "dofile");
  set_loader(L, "load", load_named, 4);
  set_loader(L, "loadfile", load_with_globals, 3);
}

// ---- the globals ---------------------------------------------------------

void library_push_globals(lua_State *L) {
  static const char *const libraries[] = {"string",    "table", "math",  "os",     "io",
                                          "coroutine", "utf8",  "debug", "package"};
  lua_pushglobaltable(L);
  copy(L);
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) copy_field(L, libraries[i]);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "_G");
  set_loaders(L);
  if (lua_getfield(L, -1, "package") == LUA_TTABLE) {
    copy_field(L, "preload");
    copy_field(L, "searchers");
  }
  lua_pop(L, 1);
}

int library_push_preload(lua_State *L, int globals, const char *name) {
  int type = LUA_TNIL;
  int top = lua_gettop(L);
  lua_pushnil(L);
  lua_pushliteral(L, "package");
  if (lua_rawget(L, globals) == LUA_TTABLE) {
    lua_pushliteral(L, "preload");
    if (lua_rawget(L, -2) == LUA_TTABLE) {
      lua_pushstring(L, name);
      type = lua_rawget(L, -2);
      lua_replace(L, top + 1);
    }
  }
  lua_settop(L, top + 1);
  return type;
}
