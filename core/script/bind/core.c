// The module "tidegate.core": puts the bindings together, and closes the holes
// in the standard library that could stop the server. See bind.h.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "script/bind/bind.h"
#include "script/serve/timer.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

void bind_check_options(lua_State *L, int index, const char *const *names, const char *what) {
  index = lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "%s: options are name = value (got [%s])", what, luaL_tolstring(L, -1, NULL));
    const char *key = lua_tostring(L, -1);
    size_t i = 0;
    while (names[i] != NULL && strcmp(names[i], key) != 0) i++;
    if (names[i] == NULL) luaL_error(L, "%s: unknown option \"%s\"", what, key);
  }
}

struct slice bind_check_topic(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TSTRING) luaL_typeerror(L, arg, "string");
  struct slice topic;
  topic.ptr = lua_tolstring(L, arg, &topic.len);
  return topic;
}

struct slice bind_check_payload(lua_State *L, int arg, const char *what) {
  int type = lua_type(L, arg);
  if (type == LUA_TTABLE) {
    bind_push_json(L, arg, what);
    lua_replace(L, arg);
  } else if (type != LUA_TSTRING) {
    luaL_error(L, "%s must be a string or a table (got %s)", what, luaL_typename(L, arg));
  }
  struct slice payload;
  payload.ptr = lua_tolstring(L, arg, &payload.len);
  return payload;
}

enum hub_since bind_check_since(lua_State *L, int index, const char *what, struct slice *id) {
  int type = lua_getfield(L, index, "since");
  if (type == LUA_TNIL) return HUB_SINCE_NOW;
  if (type != LUA_TSTRING)
    luaL_error(L, "%s: since must be a string, got %s", what, luaL_typename(L, -1));
  *id = vm_check_slice(L, -1);
  if (slice_equal(*id, slice_str("first"))) return HUB_SINCE_FIRST;
  if (slice_equal(*id, slice_str("last"))) return HUB_SINCE_LAST;
  return HUB_SINCE_ID;
}

enum hub_lag bind_check_lag(lua_State *L, int index, const char *what) {
  struct slice lag = vm_opt_field_slice(L, index, "lag", what);
  if (lag.ptr == NULL) return HUB_LAG_DEFAULT;
  if (slice_equal(lag, slice_str("skip"))) return HUB_LAG_SKIP;
  if (slice_equal(lag, slice_str("latest"))) return HUB_LAG_LATEST;
  if (slice_equal(lag, slice_str("close"))) return HUB_LAG_CLOSE;
  return (enum hub_lag)luaL_error(L, "%s: lag must be \"skip\", \"latest\" or \"close\"", what);
}

static void set_text(lua_State *L, const char *name, struct slice text) {
  if (text.len == 0) return;
  vm_push_slice(L, text);
  lua_setfield(L, -2, name);
}

void bind_push_message_info(lua_State *L, const struct hub *hub, const struct message *m) {
  char id[HUB_ID_MAX];
  hub_id_format(hub, m->seq, id);
  lua_createtable(L, 0, 6);
  set_text(L, "id", slice_str(id));
  bind_push_kind(L, (enum message_kind)m->kind);
  lua_setfield(L, -2, "kind");
  set_text(L, "event", message_event(m));
  set_text(L, "key", message_key(m));
}

void bind_push_kind(lua_State *L, enum message_kind kind) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->kind_refs[kind]);
}

double bind_opt_number_field(lua_State *L, int index, const char *name, const char *what,
                             double least, double most, double otherwise) {
  double value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    bool is_number = lua_type(L, -1) == LUA_TNUMBER;
    value = is_number ? lua_tonumber(L, -1) : NAN;
    if (!(value >= least && value <= most)) {
      const char *got = is_number ? luaL_tolstring(L, -1, NULL) : luaL_typename(L, -1);
      luaL_error(L, "%s: %s must be a number from %I to %I (got %s)", what, name,
                 (LUAI_UACINT)least, (LUAI_UACINT)most, got);
    }
  }
  lua_pop(L, 1);
  return value;
}

enum message_kind bind_check_kind(lua_State *L, int index, const char *what) {
  int type = lua_type(L, index);
  if (type <= LUA_TNIL) return MESSAGE_TEXT;
  const char *kind = type == LUA_TSTRING ? lua_tostring(L, index) : "";
  if (strcmp(kind, "text") == 0) return MESSAGE_TEXT;
  if (strcmp(kind, "binary") == 0) return MESSAGE_BINARY;
  return (enum message_kind)luaL_error(L, "%s: kind must be \"text\" or \"binary\"", what);
}

// ---- memory of C on the Lua stack ----------------------------------------

static const char owned_type[] = "tidegate.owned";

struct owned {
  void (*release)(void *memory);
  max_align_t memory[];
};

void bind_release(lua_State *L, int index) {
  struct owned *owned = lua_touserdata(L, index);
  if (owned->release != NULL) owned->release(owned->memory);
  owned->release = NULL;
}

static int collect_owned(lua_State *L) {
  bind_release(L, 1);
  return 0;
}

void *bind_push_owned(lua_State *L, size_t bytes, void (*release)(void *memory)) {
  struct owned *owned = lua_newuserdatauv(L, sizeof *owned + bytes, 0);
  memset(owned, 0, sizeof *owned + bytes);
  if (luaL_newmetatable(L, owned_type)) {
    lua_pushcfunction(L, collect_owned);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  owned->release = release;
  return owned->memory;
}

// ---- the standard library ------------------------------------------------

static int no_exit(lua_State *L) {
  return luaL_error(L, "os.exit would stop the server; raise an error instead");
}

// coroutine.create whose coroutines the watchdog can reach.
static int guarded_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  watchdog_guard_coroutine(co);
  return 1;
}

static const char guarded_wrap[] =
    "local create, resume, error = ...\n"
    "local function pass(ok, ...) if ok then return ... end error((...), 0) end\n"
    "return function(f) local co = create(f) return function(...) return pass(resume(co, ...)) end "
    "end";

static void patch_standard_library(lua_State *L) {
  lua_getglobal(L, "os");
  lua_pushcfunction(L, no_exit);
  lua_setfield(L, -2, "exit");
  lua_pop(L, 1);
  lua_getglobal(L, "coroutine");
  lua_pushcfunction(L, guarded_create);
  lua_setfield(L, -2, "create");
  if (luaL_loadstring(L, guarded_wrap) != LUA_OK) lua_error(L);
  lua_getfield(L, -2, "create");
  lua_getfield(L, -3, "resume");
  lua_getglobal(L, "error");
  lua_call(L, 3, 1);
  lua_setfield(L, -2, "wrap");
  lua_pop(L, 1);
}

static int open_core(lua_State *L) {
  lua_newtable(L);
  bind_open_json(L);
  bind_open_crypto(L);
  bind_open_system(L);
  bind_open_time(L);
  bind_open_hub(L);
  bind_open_req(L);
  bind_open_res(L);
  bind_open_answer(L);
  bind_open_ws(L);
  bind_open_stream(L);
  return 1;
}

static void keep_kinds(lua_State *L) {
  lua_pushliteral(L, "text");
  vm_of(L)->kind_refs[MESSAGE_TEXT] = vm_ref(L);
  lua_pushliteral(L, "binary");
  vm_of(L)->kind_refs[MESSAGE_BINARY] = vm_ref(L);
}

void bind_open(lua_State *L) {
  keep_kinds(L);
  timer_open(L);
  patch_standard_library(L);
  luaL_requiref(L, "tidegate.core", open_core, 0);
  lua_pop(L, 1);
}
