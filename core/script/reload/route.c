// Routes of WebSockets and streams: see route.h.
#include "script/reload/route.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/worker.h"

const struct route route_none = {.key = "(none)",
                                 .task_ref = LUA_NOREF,
                                 .message_ref = LUA_NOREF,
                                 .close_ref = LUA_NOREF,
                                 .gap_ref = LUA_NOREF,
                                 .drain_ref = LUA_NOREF};

// ---- reading -------------------------------------------------------------

static int ref_field(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return LUA_NOREF;
  }
  return vm_ref(L);
}

// The number field as a whole number of 1/scale units, at most 32 bits; a
// positive one never becomes 0, which would mean "none".
static uint64_t number_field(lua_State *L, int index, const char *name, double scale,
                             uint64_t otherwise) {
  uint64_t value = otherwise;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    double scaled = ceil(luaL_checknumber(L, -1) * scale);
    value = scaled >= UINT32_MAX ? UINT32_MAX : scaled > 0 ? (uint64_t)scaled : 0;
  }
  lua_pop(L, 1);
  return value;
}

static bool text_field_is(lua_State *L, int index, const char *name, const char *text) {
  bool is = lua_getfield(L, index, name) == LUA_TSTRING && strcmp(lua_tostring(L, -1), text) == 0;
  lua_pop(L, 1);
  return is;
}

// compress = true | false | { context_takeover = true | false }
static enum ws_compress compress_field(lua_State *L, int index) {
  enum ws_compress compress = WS_COMPRESS_OFF;
  if (lua_getfield(L, index, "compress") == LUA_TTABLE) {
    lua_getfield(L, -1, "context_takeover");
    compress = lua_toboolean(L, -1) ? WS_COMPRESS_CONTEXT : WS_COMPRESS_ON;
    lua_pop(L, 1);
  } else if (lua_toboolean(L, -1)) {
    compress = WS_COMPRESS_ON;
  }
  lua_pop(L, 1);
  return compress;
}

static void read_route(lua_State *L, struct route *route) {
  const struct config *config = vm_of(L)->worker->config;
  int index = lua_gettop(L);
  lua_getfield(L, index, "key");
  route->key = mem_strdup(luaL_checkstring(L, -1));
  lua_getfield(L, index, "kind");
  route->is_ws = strcmp(luaL_checkstring(L, -1), "ws") == 0;
  lua_settop(L, index);
  route->task_ref = ref_field(L, index, "task");
  route->message_ref = ref_field(L, index, "message");
  route->close_ref = ref_field(L, index, "close");
  route->gap_ref = ref_field(L, index, "gap");
  route->drain_ref = ref_field(L, index, "drain");
  route->heartbeat_ms = number_field(L, index, "heartbeat", 1000, config->heartbeat_ms);
  route->keepalive_ms = number_field(L, index, "keepalive", 1000, config->keepalive_ms);
  lua_getfield(L, index, "envelope");
  route->has_envelope = lua_toboolean(L, -1);
  lua_pop(L, 1);
  route->compress = compress_field(L, index);
  route->closes_when_full = text_field_is(L, index, "on_full", "close");
  route->max_message_bytes = number_field(L, index, "max_message", 1, config->max_message_bytes);
}

void routes_read(lua_State *L, struct routes *out) {
  size_t count = (size_t)luaL_len(L, -1);
  out->all = mem_zalloc((count + 1) * sizeof *out->all);
  for (size_t i = 0; i < count; i++) {
    struct route *route = &out->all[i];
    *route = route_none;
    route->key = NULL;
    out->count++;
    lua_geti(L, -1, (lua_Integer)i + 1);
    read_route(L, route);
    lua_pop(L, 1);
  }
}

void routes_free(struct vm *vm, struct routes *routes) {
  for (size_t i = 0; i < routes->count; i++) {
    struct route *route = &routes->all[i];
    const int refs[] = {route->task_ref, route->message_ref, route->close_ref, route->gap_ref,
                        route->drain_ref};
    for (size_t r = 0; r < sizeof refs / sizeof *refs; r++) vm_unref(vm, refs[r]);
    free(route->key);
  }
  free(routes->all);
}

// ---- finding -------------------------------------------------------------

const struct route *routes_find(const struct routes *routes, const char *key) {
  for (size_t i = 0; i < routes->count; i++) {
    if (strcmp(routes->all[i].key, key) == 0) return &routes->all[i];
  }
  return NULL;
}

ptrdiff_t routes_index(const struct routes *routes, const struct route *route) {
  bool is_here = route >= routes->all && route < routes->all + routes->count;
  return is_here ? route - routes->all : -1;
}
