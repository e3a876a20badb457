// The standard library: closes the holes that could stop the server, or that would let one
// generation of scripts change what the next finds.
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

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
    {"os", "exit", no_exit},
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

// Makes the standard input of scripts an empty file: to read from a terminal, or from a pipe
// that nobody writes to, would hold up the worker for good. The file is for no program that
// they start.
static void empty_input(lua_State *L) {
  static const char code[] =
      "local file = io.open '/dev/null' if file then io.stdin = file io.input(file) end return "
      "file";
  if (luaL_loadstring(L, code) != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (stream != NULL) fcntl(fileno(stream->f), F_SETFD, FD_CLOEXEC);
  lua_pop(L, 1);
}

static void open_module(lua_State *L) {
  replace_functions(L);
  empty_input(L);
  lock_metatables(L);
}

struct script_module bind_standard = {.name = "standard", .open = open_module};
