// config.lua: see config_file.h.
#include "script/reload/config_file.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "net/address.h"
#include "script/reload/limited.h"
#include "script/reload/source.h"

enum { MEMORY_MAX = 64 * 1024 * 1024 };

static char *apply_value(struct config *config, lua_State *L, const char *path,
                         const struct config_key *key) {
  int type = lua_type(L, -1);
  size_t len = 0;
  if (type == LUA_TBOOLEAN) {
    lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
    lua_replace(L, -2);
  } else if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    return mem_format("%s: %s: a %s is not a value", path, key->name, lua_typename(L, type));
  }
  const char *text = lua_tolstring(L, -1, &len);
  char *error = strlen(text) < len ? mem_format("the text has a NUL")
                                   : config_set(config, key, CONFIG_FILE, text);
  if (error == NULL && key->type == CONFIG_LISTEN) error = address_check(text);
  if (error == NULL) return NULL;
  char *named = mem_format("%s: %s: %s", path, key->name, error);
  free(error);
  return named;
}

// { host = "::", port = 80 } is no list, though its length is that of an empty one.
static char *check_list(lua_State *L, const char *path, const char *name) {
  lua_Integer count = 0;
  int table = lua_gettop(L);
  luaL_checkstack(L, 3, NULL);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (!lua_isinteger(L, -2))
      return mem_format("%s: %s: a list has no key %s: write { \"127.0.0.1:8080\" }", path, name,
                        luaL_tolstring(L, -2, NULL));
    count++;
  }
  if (count == 0) return mem_format("%s: %s: the list is empty", path, name);
  bool has_hole = count != (lua_Integer)lua_rawlen(L, table);
  return has_hole ? mem_format("%s: %s: the list has a hole", path, name) : NULL;
}

// A key with a list of values (listen), or one value.
static char *apply_key(struct config *config, lua_State *L, const char *path,
                       const struct config_key *key) {
  if (!lua_istable(L, -1) || key->type != CONFIG_LISTEN) return apply_value(config, L, path, key);
  int table = lua_gettop(L);
  char *error = check_list(L, path, key->name);
  lua_settop(L, table);
  size_t count = (size_t)lua_rawlen(L, -1);
  for (size_t i = 1; error == NULL && i <= count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    error = apply_value(config, L, path, key);
    lua_pop(L, 1);
  }
  return error;
}

static char *unknown_key(const char *path, const char *name) {
  const char *nearest = config_key_nearest(name);
  if (nearest == NULL) return mem_format("%s: unknown key \"%s\"", path, name);
  return mem_format("%s: unknown key \"%s\"; did you mean \"%s\"?", path, name, nearest);
}

// The key below the top, which is no text.
static char *nameless_key(lua_State *L, const char *path, const char *prefix) {
  return mem_format("%s: %s%ssettings are name = value (got [%s])", path, prefix,
                    *prefix != '\0' ? ": " : "", luaL_tolstring(L, -2, NULL));
}

// The table on top. `hub = { max_bytes = 1 }` is `hub_max_bytes = 1`.
static char *apply_table(struct config *config, lua_State *L, const char *path,
                         const char *prefix) {
  char *error = NULL;
  int table = lua_gettop(L);
  luaL_checkstack(L, 4, NULL);
  lua_pushnil(L);
  while (error == NULL && lua_next(L, table) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) return nameless_key(L, path, prefix);
    char *name = mem_format("%s%s%s", prefix, *prefix != '\0' ? "_" : "", lua_tostring(L, -2));
    const struct config_key *key = config_key_find(name, strlen(name));
    if (key != NULL)
      error = apply_key(config, L, path, key);
    else if (lua_istable(L, -1) && *prefix == '\0')
      error = apply_table(config, L, path, name);
    else
      error = unknown_key(path, name);
    free(name);
    lua_settop(L, table + 1);
  }
  return error;
}

// ---- running it ----------------------------------------------------------

struct reading {
  struct config *config;
  const char *path;
  struct slice text;
  uint64_t time_ms;
  char *error;  // of a value
};

static int read_settings(lua_State *L) {
  struct reading *reading = lua_touserdata(L, 1);
  char *name = lua_newuserdatauv(L, strlen(reading->path) + 2, 0);
  sprintf(name, "@%s", reading->path);
  if (luaL_loadbufferx(L, reading->text.ptr, reading->text.len, name, "t") != LUA_OK)
    return lua_error(L);
  lua_call(L, 0, 1);
  if (!lua_istable(L, -1))
    reading->error = mem_format("%s: must return a table", reading->path);
  else
    reading->error = apply_table(reading->config, L, reading->path, "");
  return 0;
}

// Of the failure on top of the stack. Errors of precompiled code carry no position.
static char *name_error(lua_State *L, const char *path) {
  if (!lua_isstring(L, -1)) return mem_format("%s: raised a value that is no text", path);
  const char *text = lua_tostring(L, -1);
  bool has_path = strncmp(text, path, strlen(path)) == 0;
  return has_path ? mem_strdup(text) : mem_format("%s: %s", path, text);
}

static char *run(struct reading *reading) {
  struct limited limited;
  if (!limited_open(&limited, reading->time_ms, MEMORY_MAX))
    return mem_format("%s: not enough memory", reading->path);
  lua_State *L = limited.L;
  lua_pushcfunction(L, read_settings);
  lua_pushlightuserdata(L, reading);
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  char *error = ok ? reading->error : name_error(L, reading->path);
  limited_close(&limited);
  return error;
}

char *config_file_apply(struct config *config, const char *dir, uint64_t time_ms) {
  char *path = config_file_path(dir);
  struct reading reading = {.config = config, .path = path, .time_ms = time_ms};
  struct buf file = {0};
  char *error = NULL;
  struct stat info;
  if (lstat(path, &info) == 0) {
    const char *failure = source_read(path, &file, &reading.text);
    error = failure != NULL ? mem_format("%s: %s", path, failure) : run(&reading);
  }
  buf_free(&file);
  free(path);
  return error;
}

char *config_file_path(const char *dir) { return mem_format("%s/config.lua", dir); }
