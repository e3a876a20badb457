// core.publish, count, topic.
#include <lauxlib.h>
#include <lua.h>

#include "base/utf8.h"
#include "net/conn.h"
#include "net/worker.h"
#include "proto/http_response.h"
#include "script/bind.h"
#include "script/generation.h"
#include "script/session.h"
#include "script/vm.h"

static struct message_fields check_publish_options(lua_State *L, int index) {
  struct message_fields fields = {.kind = MESSAGE_TEXT};
  if (lua_isnoneornil(L, index)) return fields;
  static const char *const names[] = {"except", "event", "kind", "key", NULL};
  luaL_checktype(L, index, LUA_TTABLE);
  bind_check_options(L, index, names, "publish");
  fields.event = vm_opt_field_slice(L, index, "event", "publish");
  fields.key = vm_opt_field_slice(L, index, "key", "publish");
  if (fields.key.len > UINT16_MAX) luaL_error(L, "publish: key has more than %d bytes", UINT16_MAX);
  if (lua_getfield(L, index, "except") != LUA_TNIL) {
    bool is_session = luaL_testudata(L, -1, session_ws_type) != NULL || luaL_testudata(L, -1, session_stream_type) != NULL;
    if (!is_session) luaL_error(L, "publish: except must be a ws or a stream, got %s", luaL_typename(L, -1));
    struct session_box *box = lua_touserdata(L, -1);
    if (box->session != NULL) fields.except = box->session->id;
  }
  lua_getfield(L, index, "kind");
  fields.kind = bind_check_kind(L, -1, "publish");
  return fields;
}

static bool event_is_valid(struct slice event) {
  return event.len <= 255 && http_header_value_is_valid(event) && utf8_is_valid(event);
}

// publish(topic, string | table [, {except, event, kind}]) -> id | nil, message, code
static int hub_publish_function(lua_State *L) {
  struct slice topic = vm_check_slice(L, 1);
  lua_settop(L, 3);
  struct slice payload = bind_check_payload(L, 2);
  struct message_fields fields = check_publish_options(L, 3);
  fields.payload = payload;
  if (fields.kind == MESSAGE_TEXT && !utf8_is_valid(payload))
    return vm_fail(L, "text must be UTF-8", "utf8");
  if (!event_is_valid(fields.event)) {
    return vm_fail(L, "an event name has at most 255 bytes and no control characters", "event");
  }
  struct worker *worker = vm_of(L)->worker;
  uint64_t seq = 0;
  switch (hub_publish(worker->hub, worker->port, topic, message_new(&fields), &seq)) {
    case HUB_OK:
      break;
    case HUB_TOO_LARGE:
      return vm_fail(L, "too large", "too_large");
    default:
      return vm_fail(L, "a topic must be 1 to 255 bytes of UTF-8 without control characters",
                     "topic");
  }
  char id[HUB_ID_MAX];
  hub_id_format(worker->hub, seq, id);
  lua_pushstring(L, id);
  return 1;
}

// count(topic) -> subscribers on all workers
static int hub_count_function(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)hub_count(vm_of(L)->worker->hub, vm_check_slice(L, 1)));
  return 1;
}

static double number_option(lua_State *L, int index, const char *name, double max) {
  double value = 0;
  if (lua_getfield(L, index, name) != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "topic: %s must be a number", name);
    value = lua_tonumber(L, -1);
    if (!(value >= 0 && value <= max)) luaL_error(L, "topic: %s is out of range", name);
  }
  lua_pop(L, 1);
  return value;
}

// topic(pattern, {history, bytes, ttl, lag, limit}): a rule, while scripts load
static int hub_topic_function(lua_State *L) {
  struct vm *vm = vm_of(L);
  const char *pattern = luaL_checkstring(L, 1);
  static const char *const names[] = {"history", "bytes", "ttl", "lag", "limit", NULL};
  static const char *const lags[] = {"default", "skip", "latest", "close", NULL};  // as enum hub_lag
  luaL_argcheck(L, *pattern != '\0', 1, "must not be empty");
  luaL_checktype(L, 2, LUA_TTABLE);
  bind_check_options(L, 2, names, "topic");
  if (vm->loading == NULL) return luaL_error(L, "gate.topic can only be called while scripts load");
  struct hub_rule rule = {.pattern = pattern};
  rule.history = (uint32_t)number_option(L, 2, "history", 1e9);
  rule.bytes = (uint64_t)number_option(L, 2, "bytes", 1e12);
  rule.ttl_ms = (uint64_t)(number_option(L, 2, "ttl", 1e10) * 1000);
  rule.limit = (uint32_t)number_option(L, 2, "limit", 4e9);
  if (lua_getfield(L, 2, "lag") != LUA_TNIL)
    rule.lag = (enum hub_lag)luaL_checkoption(L, -1, NULL, lags);
  generation_add_rule(vm->loading, &rule);
  return 0;
}

static const luaL_Reg functions[] = {
    {"publish", hub_publish_function},
    {"count", hub_count_function},
    {"topic", hub_topic_function},
    {NULL, NULL},
};

void bind_open_hub(lua_State *L) { luaL_setfuncs(L, functions, 0); }
