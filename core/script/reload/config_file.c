// config.lua: see config_file.h.
#include "script/reload/config_file.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

static char *apply_value(struct config *config, lua_State *L, const char *path,
                         const struct config_key *key) {
  int type = lua_type(L, -1);
  if (type == LUA_TBOOLEAN) {
    lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
    lua_replace(L, -2);
  } else if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    return mem_format("%s: %s: a %s is not a value", path, key->name, lua_typename(L, type));
  }
  char *error = config_set(config, key, CONFIG_FILE, lua_tostring(L, -1));
  if (error == NULL) return NULL;
  char *named = mem_format("%s: %s: %s", path, key->name, error);
  free(error);
  return named;
}

// A key with a list of values (listen), or one value.
static char *apply_key(struct config *config, lua_State *L, const char *path,
                       const struct config_key *key) {
  if (!lua_istable(L, -1) || key->type != CONFIG_LISTEN) return apply_value(config, L, path, key);
  char *error = NULL;
  size_t count = (size_t)lua_rawlen(L, -1);
  for (size_t i = 1; error == NULL && i <= count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    error = apply_value(config, L, path, key);
    lua_pop(L, 1);
  }
  return error;
}

// The table on top. `hub = { max_bytes = 1 }` is `hub_max_bytes = 1`.
static char *apply_table(struct config *config, lua_State *L, const char *path,
                         const char *prefix) {
  char *error = NULL;
  int table = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  lua_pushnil(L);
  while (error == NULL && lua_next(L, table) != 0) {
    const char *given = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    char *name = mem_format("%s%s%s", prefix, *prefix != '\0' ? "_" : "", given);
    const struct config_key *key = config_key_find(name, strlen(name));
    if (key != NULL)
      error = apply_key(config, L, path, key);
    else if (lua_istable(L, -1) && *prefix == '\0' && *given != '?')
      error = apply_table(config, L, path, name);
    else
      error = mem_format("%s: unknown key \"%s\"", path, name);
    free(name);
    lua_settop(L, table + 1);
  }
  return error;
}

// Of the failure on top of the stack. Errors of precompiled code carry no position.
static char *name_error(lua_State *L, const char *path) {
  if (!lua_isstring(L, -1)) return mem_format("%s: raised a value that is no text", path);
  const char *text = lua_tostring(L, -1);
  bool has_path = strncmp(text, path, strlen(path)) == 0;
  return has_path ? mem_strdup(text) : mem_format("%s: %s", path, text);
}

char *config_file_apply(struct config *config, const char *dir) {
  char *path = mem_format("%s/config.lua", dir);
  char *error = NULL;
  struct stat info;
  bool is_there = stat(path, &info) == 0;
  if (is_there && !S_ISREG(info.st_mode)) {
    error = mem_format("%s: it is %s, not a file", path, file_kind(info.st_mode));
  } else if (is_there) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_loadfilex(L, path, "t") != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK) {
      error = name_error(L, path);
    } else if (!lua_istable(L, 1)) {
      error = mem_format("%s: must return a table", path);
    } else {
      error = apply_table(config, L, path, "");
    }
    lua_close(L);
  }
  free(path);
  return error;
}
