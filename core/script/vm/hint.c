// Hints: see hint.h.
#include "script/vm/hint.h"

#include <lauxlib.h>
#include <string.h>

#include "base/nearest.h"
#include "script/vm/vm.h"

enum { METHODS_MAX = 128 };

// Fields of req, ws and stream that scripts look into, and whose they are.
static const char *const fields[] = {"params", "query", "headers", "cookies", "data"};
static const char *const owners[] = {"req, ws and stream", "req, ws and stream", "req", "req",
                                     "ws and stream"};
enum { FIELDS = sizeof fields / sizeof *fields };

// ---- the methods of all objects ------------------------------------------

struct methods {
  const char *names[METHODS_MAX];
  const char *objects[METHODS_MAX];  // "ws"
  size_t count;
};

// Of the type whose metatable is on top: pushes the table of its methods, or nil.
static int push_methods(lua_State *L) {
  if (lua_getfield(L, -1, "__index") == LUA_TFUNCTION && lua_getupvalue(L, -1, 1) != NULL)
    lua_remove(L, -2);
  return lua_type(L, -1);
}

static const char *object_of(const char *type_name) {
  const char *dot = strrchr(type_name, '.');
  return dot != NULL ? dot + 1 : type_name;
}

// The texts live as long as the types.
static void list_methods(lua_State *L, struct methods *out) {
  const struct vm *vm = vm_of(L);
  for (size_t i = 0; i < VM_TYPES_MAX && vm->types[i].metatable != NULL; i++) {
    int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->types[i].ref);
    bool has_name = lua_getfield(L, -1, "__name") == LUA_TSTRING;
    const char *object = has_name ? object_of(lua_tostring(L, -1)) : "";
    lua_pop(L, 1);
    if (push_methods(L) == LUA_TTABLE) {
      for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || out->count == METHODS_MAX) continue;
        out->names[out->count] = lua_tostring(L, -2);
        out->objects[out->count++] = object;
      }
    }
    lua_settop(L, top);
  }
}

void hint_push_methods(lua_State *L) {
  struct methods methods = {.count = 0};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  list_methods(L, &methods);
  lua_createtable(L, (int)methods.count, 0);
  for (size_t i = 0; i < methods.count; i++) {
    lua_pushfstring(L, "%s:%s", methods.objects[i], methods.names[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static size_t find_method(const struct methods *methods, const char *name) {
  size_t i = 0;
  while (i < methods->count && strcmp(methods->names[i], name) != 0) i++;
  return i;
}

// ---- hints ---------------------------------------------------------------

// Each pushes its hint, or returns false.

// What methods are called elsewhere.
static const struct {
  const char *name, *here;
} foreign[] = {
    {"broadcast", "gate.publish"},
    {"emit", "send, or gate.publish for a topic"},
    {"on", "a callback in the table of gate.ws"},
    {"redirect", "return 302, nil, { Location = url }"},
    {"set", "res:header"},
    {"setHeader", "res:header"},
    {"subscribe", "join"},
    {"unsubscribe", "leave"},
};

static bool push_foreign(lua_State *L, const char *name) {
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    if (strcmp(foreign[i].name, name) != 0) continue;
    lua_pushfstring(L, "; did you mean %s?", foreign[i].here);
    return true;
  }
  return false;
}

// A field that another object has.
static bool push_owner(lua_State *L, const char *name) {
  for (size_t i = 0; i < FIELDS; i++) {
    if (strcmp(fields[i], name) != 0) continue;
    lua_pushfstring(L, "; %s is a field of %s", name, owners[i]);
    return true;
  }
  return false;
}

static bool push_near_method(lua_State *L, const struct methods *methods, const char *name) {
  if (push_foreign(L, name) || push_owner(L, name)) return true;
  size_t same = find_method(methods, name);
  const char *near = nearest_name(name, methods->names, methods->count);
  const char *field = nearest_name(name, fields, FIELDS);
  if (same < methods->count)
    lua_pushfstring(L, "; %s is a method of %s", name, methods->objects[same]);
  else if (near != NULL)
    lua_pushfstring(L, "; did you mean %s:%s?", methods->objects[find_method(methods, near)], near);
  else if (field != NULL)
    lua_pushfstring(L, "; did you mean the field %s?", field);
  return same < methods->count || near != NULL || field != NULL;
}

static char missed_key, meant_key;  // registry keys of the latest miss

void hint_note_miss(lua_State *L, int name, int meant) {
  lua_pushvalue(L, name);
  lua_pushvalue(L, meant);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &meant_key);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &missed_key);
}

static bool push_missed(lua_State *L, const struct methods *methods, const char *name) {
  (void)methods;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &missed_key);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &meant_key);
  if (lua_type(L, -1) != LUA_TSTRING || lua_type(L, -2) != LUA_TSTRING) return false;
  if (strcmp(lua_tostring(L, -2), name) != 0) return false;
  lua_pushfstring(L, "; did you mean %s?", lua_tostring(L, -1));
  return true;
}

static bool push_is_field(lua_State *L, const struct methods *methods, const char *name) {
  (void)methods;
  lua_pushfstring(L, "; %s is a field: write .%s, without parentheses", name, name);
  return true;
}

static bool push_near_field(lua_State *L, const struct methods *methods, const char *name) {
  if (push_missed(L, methods, name) || push_owner(L, name)) return true;
  const char *near = nearest_name(name, fields, FIELDS);
  if (near == NULL) return false;
  lua_pushfstring(L, "; did you mean %s?", near);
  return true;
}

static bool push_is_missing(lua_State *L, const struct methods *methods, const char *name) {
  (void)methods;
  if (strcmp(name, "gate") != 0) return false;
  lua_pushliteral(L, "; the script lacks local gate = require \"tidegate\"");
  return true;
}

static bool push_is_method(lua_State *L, const struct methods *methods, const char *name) {
  size_t i = find_method(methods, name);
  if (i == methods->count) return false;
  lua_pushfstring(L, "; %s is a method: write %s:%s(...)", name, methods->objects[i], name);
  return true;
}

static bool push_is_function(lua_State *L, const struct methods *methods, const char *name) {
  if (find_method(methods, name) < methods->count) return false;
  lua_pushfstring(L, "; %s is called with a dot, not with a colon", name);
  return true;
}

// What messages of Lua hold: `before`, a name, and `after`.
static const struct {
  const char *before, *after;
  bool (*push)(lua_State *L, const struct methods *methods, const char *name);
} rows[] = {
    {"attempt to call a nil value (method '", "')", push_near_method},
    {"attempt to call a nil value (field '", "')", push_missed},
    {"attempt to call a table value (method '", "')", push_is_field},
    {"attempt to call a string value (method '", "')", push_is_field},
    {"attempt to index a nil value (field '", "')", push_near_field},
    {"attempt to index a nil value (global '", "')", push_is_missing},
    {" a function value (field '", "')", push_is_method},
    {"calling '", "' on bad self", push_is_function},
};

// Pushes the name between the texts of the row, or returns NULL.
static const char *push_name(lua_State *L, const char *message, const char *before,
                             const char *after) {
  const char *start = strstr(message, before);
  if (start == NULL) return NULL;
  start += strlen(before);
  const char *end = strstr(start, after);
  return end != NULL ? lua_pushlstring(L, start, (size_t)(end - start)) : NULL;
}

void hint_add(lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING) return;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  int message = lua_gettop(L);
  struct methods methods = {.count = 0};
  list_methods(L, &methods);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *name = push_name(L, lua_tostring(L, message), rows[i].before, rows[i].after);
    if (name == NULL || !rows[i].push(L, &methods, name)) continue;
    lua_pushvalue(L, message);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_replace(L, message);
    break;
  }
  lua_settop(L, message);
}
