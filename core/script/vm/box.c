// Boxes: see box.h.
#include "script/vm/box.h"

#include <lauxlib.h>
#include <string.h>

// ---- types ---------------------------------------------------------------

void box_new_type(lua_State *L, struct box_type *type) {
  struct vm *vm = vm_of(L);
  unsigned slot = 0;
  while (slot < VM_TYPES_MAX && vm->types[slot].metatable != NULL) slot++;
  if (slot == VM_TYPES_MAX) luaL_error(L, "more than %d types of boxes", VM_TYPES_MAX);
  luaL_newmetatable(L, type->name);
  type->slot = slot;
  vm->types[slot].metatable = lua_topointer(L, -1);
  vm_lock_metatable(L);
  lua_pushvalue(L, -1);
  vm->types[slot].ref = vm_ref(L);
}

void *box_push(lua_State *L, const struct box_type *type, size_t bytes, int user_values) {
  void *memory = lua_newuserdatauv(L, bytes, user_values);
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->types[type->slot].ref);
  lua_setmetatable(L, -2);
  return memory;
}

struct box *box_push_pointer(lua_State *L, const struct box_type *type, void *object,
                             int user_values) {
  struct box *box = box_push(L, type, sizeof *box, user_values);
  box->object = object;
  return box;
}

// To compare a pointer costs a tenth of luaL_checkudata.
void *box_test(lua_State *L, int arg, const struct box_type *type) {
  void *memory = lua_touserdata(L, arg);
  if (memory == NULL || !lua_getmetatable(L, arg)) return NULL;
  const void *metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  return metatable == vm_of(L)->types[type->slot].metatable ? memory : NULL;
}

int box_fail(lua_State *L, int arg, const char *object, const char *expected) {
  if (arg != 1) return luaL_typeerror(L, arg, expected);
  const char *got = luaL_typename(L, arg);
  if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING) got = lua_tostring(L, -1);
  lua_Debug call;
  bool is_known = lua_getstack(L, 0, &call) && lua_getinfo(L, "n", &call) && call.name != NULL;
  const char *name = is_known ? call.name : "method";
  if (is_known && strcmp(call.namewhat, "method") == 0)
    return luaL_error(L, "%s:%s: what is before the colon must be a %s (got %s)", object, name,
                      expected, got);
  return luaL_error(L,
                    "%s.%s: write %s:%s(...), with a colon (the first argument is no %s: got %s)",
                    object, name, object, name, expected, got);
}

void *box_check(lua_State *L, int arg, const struct box_type *type) {
  void *memory = box_test(L, arg, type);
  if (memory != NULL) return memory;
  const char *dot = strrchr(type->name, '.');
  const char *object = dot != NULL ? dot + 1 : type->name;
  box_fail(L, arg, object, object);
  return NULL;
}

void *box_check_pointer(lua_State *L, int arg, const struct box_type *type) {
  return ((struct box *)box_check(L, arg, type))->object;
}

// ---- memory that C owns --------------------------------------------------

static struct box_type owned_type = {.name = "tidegate.owned"};

struct owned {
  void (*release)(void *memory);
  max_align_t memory[];
};

void *box_push_owned(lua_State *L, size_t bytes, void (*release)(void *memory)) {
  struct owned *owned = box_push(L, &owned_type, sizeof *owned + bytes, 0);
  memset(owned, 0, sizeof *owned + bytes);  // nothing has run since that could collect it
  owned->release = release;
  return owned->memory;
}

void box_release(lua_State *L, int index) {
  struct owned *owned = lua_touserdata(L, index);
  if (owned->release != NULL) owned->release(owned->memory);
  owned->release = NULL;
}

static int collect_owned(lua_State *L) {
  box_release(L, 1);
  return 0;
}

static void open_module(lua_State *L) {
  box_new_type(L, &owned_type);
  lua_pushcfunction(L, collect_owned);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

struct script_module box_module = {.name = "box", .open = open_module};
