// The standard library: closes the holes that could stop the server, or that would let one
// generation of scripts change what the next finds.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "script/bind/modules.h"
#include "script/vm/standard.h"
#include "script/vm/vm.h"

// Those of the standard library that scripts can get hold of: of strings and of files.
static void lock_metatables(lua_State *L) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  vm_lock_metatable(L);
  luaL_getmetatable(L, LUA_FILEHANDLE);
  vm_lock_metatable(L);
  lua_pop(L, 3);
}

// os.setlocale([locale [, category]]) -> "C" | nil, message, "locale". A locale is of the whole
// process, and would change the numbers that other threads write.
static int set_locale(lua_State *L) {
  static const char *const categories[] = {"all",     "collate", "ctype", "monetary",
                                           "numeric", "time",    NULL};
  const char *locale = luaL_optstring(L, 1, "C");
  luaL_checkoption(L, 2, "all", categories);
  if (strcmp(locale, "C") != 0 && strcmp(locale, "POSIX") != 0)
    return vm_fail(L, "the locale of the server is \"C\" and stays so", "locale");
  lua_pushliteral(L, "C");
  return 1;
}

static int no_debug(lua_State *L) {
  return luaL_error(L, "debug.debug would wait for the terminal and serve nobody meanwhile");
}

static const struct replacement {
  const char *library, *name;
  lua_CFunction function;
} replacements[] = {
    {"os", "setlocale", set_locale},
    {"debug", "debug", no_debug},
};

static void replace_functions(lua_State *L) {
  for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++) {
    lua_getglobal(L, replacements[i].library);
    lua_pushcfunction(L, replacements[i].function);
    lua_setfield(L, -2, replacements[i].name);
    lua_pop(L, 1);
  }
}

static void open_module(lua_State *L) {
  standard_replace(L);
  replace_functions(L);
  lock_metatables(L);
}

struct script_module bind_standard = {.name = "standard", .open = open_module};
