// Query strings and forms: see query.h.
#include "script/serve/query.h"

#include <lauxlib.h>
#include <string.h>

#include "proto/url.h"
#include "script/vm/json.h"
#include "script/vm/vm.h"

// Pushes a name or value as text.
static void push_decoded(lua_State *L, struct slice text) {
  if (text.len == 0 ||
      (memchr(text.ptr, '%', text.len) == NULL && memchr(text.ptr, '+', text.len) == NULL)) {
    vm_push_slice(L, text);
    return;
  }
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, text.len);
  luaL_pushresultsize(&buffer, url_decode_form(text, out));
}

void query_push_pairs(lua_State *L, struct slice text) {
  lua_newtable(L);
  struct slice name, value;
  while (url_next_pair(&text, &name, &value)) {
    push_decoded(L, name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      lua_pop(L, 1);
      push_decoded(L, value);
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 2);
    }
  }
}

// Appends the value on top to the array below it, and pops it.
static void append(lua_State *L) { lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1); }

static void push_values(lua_State *L, struct slice text, int wanted) {
  lua_newtable(L);
  json_mark_array(L);
  struct slice name, value;
  while (url_next_pair(&text, &name, &value)) {
    push_decoded(L, name);
    bool is_wanted = lua_rawequal(L, -1, wanted);
    lua_pop(L, 1);
    if (!is_wanted) continue;
    push_decoded(L, value);
    append(L);
  }
}

static void push_groups(lua_State *L, struct slice text) {
  lua_newtable(L);
  struct slice name, value;
  while (url_next_pair(&text, &name, &value)) {
    push_decoded(L, name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      lua_pop(L, 1);
      lua_newtable(L);
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, -5);
    }
    push_decoded(L, value);
    append(L);
    lua_pop(L, 2);
  }
}

void query_push_all(lua_State *L, struct slice text, int name) {
  name = lua_absindex(L, name);
  if (lua_isnoneornil(L, name)) {
    push_groups(L, text);
    return;
  }
  if (lua_type(L, name) != LUA_TSTRING) luaL_typeerror(L, name, "string");
  push_values(L, text, name);
}
