// JSON for bindings: see json.h.
#include "script/vm/json.h"

#include <lauxlib.h>

#include "base/buf.h"
#include "script/vm/json_read.h"
#include "script/vm/json_write.h"
#include "script/vm/vm.h"

enum {
  KEEP_BYTES = 256 * 1024,  // of the buffer between two texts
  VM_SHARE = 2,             // a text takes at most the memory of the VM divided by this
};

// What one VM needs, in its registry by the address of state_key.
struct state {
  struct buf text;   // being written; C's own, and here so that an error leaks nothing
  const void *list;  // the metatable of arrays, in the registry by the address of list_key
};

static char state_key, list_key;

static struct state *find_state(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  struct state *state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}

bool json_try_encode(lua_State *L, int index) {
  index = lua_absindex(L, index);
  vm_need_stack(L, 8);
  struct state *state = find_state(L);
  buf_clear(&state->text);
  size_t most = vm_of(L)->memory_max_bytes / VM_SHARE;
  bool ok = json_write(L, index, state->list, most, &state->text);
  if (ok) lua_pushlstring(L, state->text.data, buf_len(&state->text));
  if (state->text.cap > KEEP_BYTES) buf_free(&state->text);
  return ok;
}

void json_encode(lua_State *L, int index, const char *what) {
  if (!json_try_encode(L, index))
    luaL_error(L, "%s has no JSON form: %s", what, lua_tostring(L, -1));
}

int json_decode(lua_State *L, struct slice text) {
  int top = lua_gettop(L);
  vm_need_stack(L, 8);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
  bool ok = json_read(L, text, top + 1);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  if (ok) return 1;
  lua_pushnil(L);
  lua_insert(L, top + 1);
  lua_pushliteral(L, "json");
  return 3;
}

void json_mark_array(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
  lua_setmetatable(L, -2);
}

bool json_is_array(lua_State *L) {
  if (!lua_getmetatable(L, -1)) return false;
  bool is_array = lua_topointer(L, -1) == find_state(L)->list;
  lua_pop(L, 1);
  return is_array;
}

static int free_state(lua_State *L) {
  struct state *state = lua_touserdata(L, 1);
  buf_free(&state->text);
  return 0;
}

void json_open(lua_State *L) {
  struct state *state = lua_newuserdatauv(L, sizeof *state, 0);
  *state = (struct state){0};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_state);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
  // Scripts see the mark and cannot change it, as all lists of all generations share it.
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "tidegate.array");
  lua_setfield(L, -2, "__metatable");
  state->list = lua_topointer(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
  lua_pushlightuserdata(L, NULL);
}
