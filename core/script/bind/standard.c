// The standard library: closes the holes that could stop the server, or that would let one
// generation of scripts change what the next finds.
#include <lauxlib.h>
#include <lua.h>

#include "script/bind/modules.h"
#include "script/vm/vm.h"

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit would stop the server; raise an error instead");
}

// Those of the standard library that scripts can get hold of: of strings and of files.
static void lock_metatables(lua_State *L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  vm_lock_metatable(L);
  luaL_getmetatable(L, LUA_FILEHANDLE);
  vm_lock_metatable(L);
  lua_pop(L, 3);
}

static void open_module(lua_State *L) {
  lua_getglobal(L, "os");
  lua_pushcfunction(L, no_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  lock_metatables(L);
}

struct script_module bind_standard = {.name = "standard", .open = open_module};
