// Options: see options.h.
#include "script/vm/options.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/nearest.h"
#include "base/slice.h"
#include "net/worker.h"

// ---- fields --------------------------------------------------------------

static double in_units(const struct option *option, double value) {
  return ceil(option->scale != 0 ? value * option->scale : value);
}

// Writes a whole number into the option's field, the nearest that it can hold.
static void store(const struct option *option, void *out, double value) {
  char *field = (char *)out + option->offset;
  if (option->bytes == sizeof(bool)) {
    *(bool *)field = value != 0;
  } else if (option->bytes == sizeof(uint32_t)) {
    uint32_t most = UINT32_MAX;
    uint32_t number = value >= most ? most : value < 0 ? (uint32_t)(int32_t)value : (uint32_t)value;
    memcpy(field, &number, sizeof number);
  } else {
    int64_t number = value >= 0x1p63 ? INT64_MAX : (int64_t)value;
    memcpy(field, &number, sizeof number);
  }
}

static bool is_reference(const struct option *option) {
  return option->type == OPTION_FUNCTION && option->bytes > 0;
}

static bool has_default(const struct option *option) {
  return option->otherwise != 0 || option->setting != NULL || is_reference(option);
}

static void store_default(lua_State *L, const struct option *option, void *out) {
  if (option->setting != NULL) {
    const struct config *config = vm_of(L)->worker->config;
    const struct config_key *key = config_key_find(option->setting, strlen(option->setting));
    store(option, out, (double)*(const uint64_t *)((const char *)config + key->offset));
  } else if (is_reference(option)) {
    store(option, out, LUA_NOREF);
  } else if (option->otherwise != 0) {
    store(option, out, in_units(option, option->otherwise));
  }
}

void options_set_defaults(lua_State *L, const struct option_table *table, void *out) {
  for (size_t i = 0; i < table->count; i++) store_default(L, &table->all[i], out);
}

// ---- values --------------------------------------------------------------

// These take the value on top of the stack and leave it there.

static void read_text(lua_State *L, const struct option *option, const char *what, void *out) {
  int type = lua_type(L, -1);
  if (type != LUA_TSTRING && type != LUA_TNUMBER)
    luaL_error(L, "%s: %s must be a string, got %s", what, option->name, luaL_typename(L, -1));
  struct slice text;
  text.ptr = lua_tolstring(L, -1, &text.len);
  if (option->most > 0 && (double)text.len > option->most)
    luaL_error(L, "%s: %s has more than %d bytes", what, option->name, (int)option->most);
  memcpy((char *)out + option->offset, &text, sizeof text);
}

static void fail_range(lua_State *L, const struct option *option, const char *what) {
  const char *got =
      lua_type(L, -1) == LUA_TNUMBER ? luaL_tolstring(L, -1, NULL) : luaL_typename(L, -1);
  lua_Integer least = (lua_Integer)option->least, most = (lua_Integer)option->most;
  const char *bounds =
      most == 0 ? lua_pushfstring(L, ", %I or more", (LUAI_UACINT)least)
                : lua_pushfstring(L, " from %I to %I", (LUAI_UACINT)least, (LUAI_UACINT)most);
  luaL_error(L, "%s: %s must be a number%s (got %s)", what, option->name, bounds, got);
}

static void read_number(lua_State *L, const struct option *option, const char *what, void *out) {
  double value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
  double most = option->most != 0 ? option->most : HUGE_VAL;
  bool is_whole = option->type == OPTION_WHOLE || option->type == OPTION_BYTES;
  bool counts = option->type == OPTION_WHOLE && option->most == 0;
  if (counts && !(lua_isinteger(L, -1) && value >= option->least))
    luaL_error(L, "%s: %s must be a whole number, %I or more", what, option->name,
               (LUAI_UACINT)option->least);
  if (!(value >= option->least && value <= most)) fail_range(L, option, what);
  if (is_whole && value != floor(value))
    luaL_error(L, "%s: %s must be a whole number (got %f)", what, option->name, value);
  store(option, out, in_units(option, value));
}

static void read_boolean(lua_State *L, const struct option *option, const char *what, void *out) {
  if (option->type == OPTION_BOOLEAN && !lua_isboolean(L, -1))
    luaL_error(L, "%s: %s must be true or false, got %s", what, option->name, luaL_typename(L, -1));
  store(option, out, lua_toboolean(L, -1));
}

// Pushes the names of the choices as `"a", "b" or "c"`.
static void push_choices(lua_State *L, const struct option_choice *choices) {
  lua_pushliteral(L, "");
  for (size_t i = 0; choices[i].name != NULL; i++) {
    const char *before = i == 0 ? "" : choices[i + 1].name == NULL ? " or " : ", ";
    lua_pushfstring(L, "%s%s\"%s\"", lua_tostring(L, -1), before, choices[i].name);
    lua_remove(L, -2);
  }
}

static void read_choice(lua_State *L, const struct option *option, const char *what, void *out) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  const struct option_choice *choice = option->choices;
  while (choice->name != NULL && strcmp(choice->name, text) != 0) choice++;
  if (choice->name == NULL) {
    push_choices(L, option->choices);
    luaL_error(L, "%s: %s must be %s", what, option->name, lua_tostring(L, -1));
  }
  store(option, out, choice->value);
}

static void read_function(lua_State *L, const struct option *option, const char *what, void *out) {
  if (!lua_isfunction(L, -1))
    luaL_error(L, "%s: %s must be a function, got %s", what, option->name, luaL_typename(L, -1));
  lua_pushvalue(L, -1);
  store(option, out, vm_ref(L));
}

typedef void read_type(lua_State *L, const struct option *option, const char *what, void *out);

// What the type is called in Lua, as types for editors, and how its values are read.
static const struct {
  const char *name, *luals;
  read_type *read;
} types[] = {
    [OPTION_TEXT] = {"text", "string", read_text},
    [OPTION_NUMBER] = {"number", "number", read_number},
    [OPTION_WHOLE] = {"whole", "integer", read_number},
    [OPTION_SECONDS] = {"seconds", "number", read_number},
    [OPTION_BYTES] = {"bytes", "integer", read_number},
    [OPTION_BOOLEAN] = {"boolean", "boolean", read_boolean},
    [OPTION_TRUTH] = {"boolean", "boolean", read_boolean},
    [OPTION_CHOICE] = {"choice", NULL, read_choice},
    [OPTION_FUNCTION] = {"function", "function", read_function},
    [OPTION_NAMES] = {"names", "string[]", NULL},
    [OPTION_SWITCH] = {"switch", NULL, NULL},
    [OPTION_ANY] = {"any", "any", NULL},
};

static void read_option(lua_State *L, const struct option *option, const char *what, void *out) {
  if (option->read != NULL)
    option->read(L, what, out);
  else if (option->bytes > 0)
    types[option->type].read(L, option, what, out);
}

// ---- reading -------------------------------------------------------------

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void fail_unknown(lua_State *L, const struct option_table *table, const char *what,
                         const char *key) {
  const char *names[OPTIONS_MAX];
  for (size_t i = 0; i < table->count; i++) names[i] = table->all[i].name;
  qsort(names, table->count, sizeof *names, by_name);
  const char *near = nearest_name(key, names, table->count);
  const char *hint = near != NULL ? lua_pushfstring(L, ": did you mean \"%s\"?", near) : "";
  lua_pushliteral(L, "");
  for (size_t i = 0; i < table->count; i++) {
    lua_pushfstring(L, "%s%s%s", lua_tostring(L, -1), i > 0 ? ", " : "", names[i]);
    lua_remove(L, -2);
  }
  luaL_error(L, "%s: unknown option \"%s\"%s (known: %s)", what, key, hint, lua_tostring(L, -1));
}

// A key that is no option. `what` becomes "topic: presence" for what `presence` is made of.
static void fail_key(lua_State *L, const struct option_table *table, const char *what) {
  if (table->of != NULL) what = lua_pushfstring(L, "%s: %s", what, table->of);
  int key = table->of != NULL ? -2 : -1;
  if (lua_type(L, key) == LUA_TSTRING) fail_unknown(L, table, what, lua_tostring(L, key));
  luaL_error(L, "%s: options are name = value (got [%s])", what, luaL_tolstring(L, key, NULL));
}

// Most names differ in their first letter: looking at it first is worth its line.
static bool is_named(const struct option *option, const char *key) {
  return option->name[0] == key[0] && strcmp(option->name, key) == 0;
}

// The set of the rows that the table names, by place.
static uint32_t find_named(lua_State *L, int index, const struct option_table *table,
                           const char *what) {
  uint32_t named = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) fail_key(L, table, what);
    const char *key = lua_tostring(L, -1);
    size_t i = 0;
    while (i < table->count && !is_named(&table->all[i], key)) i++;
    if (i == table->count) fail_key(L, table, what);
    named |= UINT32_C(1) << i;
  }
  return named;
}

void options_read_table(lua_State *L, int index, const struct option_table *table, const char *what,
                        void *out) {
  luaL_checktype(L, index, LUA_TTABLE);
  index = lua_absindex(L, index);
  // A reader leaves two values at most, and messages need a few.
  luaL_checkstack(L, 2 * (int)table->count + LUA_MINSTACK, NULL);
  uint32_t named = find_named(L, index, table, what);
  for (size_t i = 0; i < table->count && named >> i != 0; i++) {
    if ((named >> i & 1) == 0) continue;
    const struct option *option = &table->all[i];
    lua_pushstring(L, option->name);
    if (lua_rawget(L, index) != LUA_TNIL) read_option(L, option, what, out);
  }
}

void options_release(struct vm *vm, const struct option_table *table, const void *out) {
  for (size_t i = 0; i < table->count; i++) {
    const struct option *option = &table->all[i];
    if (!is_reference(option)) continue;
    int ref;
    memcpy(&ref, (const char *)out + option->offset, sizeof ref);
    vm_unref(vm, ref);
  }
}

// ---- rows for Lua --------------------------------------------------------

static void set_text(lua_State *L, const char *key, const char *text) {
  if (text == NULL) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, key);
}

static bool is_default(const struct option_choice *choice, const struct option *option) {
  return (double)choice->value == option->otherwise;
}

// What a choice or boolean is when it is absent, as a script would write it.
static void set_default(lua_State *L, const struct option *option) {
  if (option->fallback != NULL || option->setting != NULL) return;
  if (option->choices != NULL) {
    for (const struct option_choice *each = option->choices; each->name != NULL; each++) {
      if (is_default(each, option)) set_text(L, "default", each->name);
    }
  } else if (option->type == OPTION_BOOLEAN || option->type == OPTION_TRUTH) {
    lua_pushboolean(L, option->otherwise != 0);
    lua_setfield(L, -2, "default");
  } else if (option->otherwise != 0) {
    set_number(L, "default", option->otherwise);
  }
}

static void set_choices(lua_State *L, const struct option_choice *choices) {
  lua_newtable(L);
  for (size_t i = 0; choices[i].name != NULL; i++) {
    lua_pushstring(L, choices[i].name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "choices");
  push_choices(L, choices);
  lua_setfield(L, -2, "expected");
}

// What documents say of it.
static void set_words(lua_State *L, const struct option *option) {
  set_default(L, option);
  set_text(L, "setting", option->setting);
  set_text(L, "fallback", option->fallback);
  set_text(L, "luals", option->luals != NULL ? option->luals : types[option->type].luals);
  set_text(L, "help", option->help);
  if (option->inner != NULL) set_text(L, "inner_name", option->inner->name);
}

static void push_row(lua_State *L, const struct option *option, bool has_words) {
  lua_newtable(L);
  set_text(L, "name", option->name);
  set_text(L, "type", types[option->type].name);
  if (option->choices != NULL) set_choices(L, option->choices);
  if (option->least != 0) set_number(L, "least", option->least);
  if (option->most != 0) set_number(L, "most", option->most);
  set_text(L, "expected", option->expected);
  set_text(L, "only", option->only);
  if (has_words) set_words(L, option);
  if (option->inner == NULL) return;
  options_push_rows(L, option->inner, has_words);
  lua_setfield(L, -2, "inner");
}

void options_push_rows(lua_State *L, const struct option_table *table, bool has_words) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_createtable(L, (int)table->count, 0);
  for (size_t i = 0; i < table->count; i++) {
    if (has_default(&table->all[i]) && !table->has_defaults)
      luaL_error(L, "the table of options \"%s\" has defaults: say has_defaults", table->name);
    push_row(L, &table->all[i], has_words);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}
