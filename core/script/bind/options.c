// core.options: the rows that declare options in C, for the checks in Lua and for the reference.
// core.nearest, note_miss: the name that somebody meant, for messages. core.methods: what
// methods there are, for the tests of documents.
#include "script/bind/options.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/nearest.h"
#include "script/bind/modules.h"
#include "script/reload/route.h"
#include "script/vm/hint.h"

static const struct option_table *const tables[] = {
    &session_options, &compress_options, &publish_options,  &history_options,
    &topics_options,  &topic_options,    &presence_options, &join_options,
    &event_options,   &cookie_options,   &timer_options,
};

enum { TABLES = sizeof tables / sizeof *tables };

// options() -> array of the names of all tables
static int list_tables(lua_State *L) {
  lua_createtable(L, TABLES, 0);
  for (size_t i = 0; i < TABLES; i++) {
    lua_pushstring(L, tables[i]->name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

// options(name [, has_words]) -> array of rows (vm/options.h), with the words for documents
static int options(lua_State *L) {
  if (lua_isnoneornil(L, 1)) return list_tables(L);
  const char *name = luaL_checkstring(L, 1);
  for (size_t i = 0; i < TABLES; i++) {
    if (strcmp(tables[i]->name, name) != 0) continue;
    options_push_rows(L, tables[i], lua_toboolean(L, 2));
    return 1;
  }
  return luaL_error(L, "there is no table of options \"%s\"", name);
}

// nearest(wanted, names) -> the one of the array that is near to it | nil (base/nearest.h)
static int nearest(lua_State *L) {
  const char *wanted = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = 0, most = (size_t)lua_rawlen(L, 2);
  // Strings of the array, which holds them while nothing else runs.
  const char **names = lua_newuserdatauv(L, (most + 1) * sizeof *names, 0);
  for (size_t i = 0; i < most; i++) {
    if (lua_rawgeti(L, 2, (lua_Integer)i + 1) == LUA_TSTRING) names[count++] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_pushstring(L, nearest_name(wanted, names, count));
  return 1;
}

// note_miss(name, meant | nil): see vm/hint.h
static int note_miss(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 2);
  hint_note_miss(L, 1, 2);
  return 0;
}

// methods() -> array of the methods of all objects: "ws:send"
static int methods(lua_State *L) {
  hint_push_methods(L);
  return 1;
}

static const luaL_Reg functions[] = {{"options", options},
                                     {"nearest", nearest},
                                     {"note_miss", note_miss},
                                     {"methods", methods},
                                     {NULL, NULL}};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_options = {.name = "options", .open = open_module};
