// core.publish, count, history, topics, presence, subscribe.
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "net/worker.h"
#include "proto/http_response.h"
#include "script/bind/modules.h"
#include "script/bind/topic.h"
#include "script/reload/generation.h"
#include "script/serve/message_info.h"
#include "script/serve/session.h"
#include "script/serve/tap.h"
#include "script/vm/args.h"
#include "script/vm/box.h"
#include "script/vm/json.h"
#include "script/vm/vm.h"

static struct message_fields check_publish_options(lua_State *L, int index) {
  struct message_fields fields = {.kind = MESSAGE_TEXT};
  if (lua_isnoneornil(L, index)) return fields;
  static const char *const names[] = {"except", "event", "kind", "key", NULL};
  luaL_checktype(L, index, LUA_TTABLE);
  args_check_options(L, index, names, "publish");
  fields.event = args_opt_slice_field(L, index, "event", "publish");
  fields.key = args_opt_slice_field(L, index, "key", "publish");
  if (fields.key.len > UINT16_MAX) luaL_error(L, "publish: key has more than %d bytes", UINT16_MAX);
  if (lua_getfield(L, index, "except") != LUA_TNIL) {
    struct script_session *session = script_session_test(L, -1);
    if (session == NULL) {
      luaL_error(L, "publish: except must be a ws or a stream, got %s", luaL_typename(L, -1));
    } else if (!session->is_over) {
      fields.except = session->id;
    }
  }
  lua_getfield(L, index, "kind");
  fields.kind = args_check_kind(L, -1, "publish");
  return fields;
}

static bool event_is_valid(struct slice event) {
  return event.len <= 255 && http_header_value_is_valid(event) && utf8_is_valid(event);
}

static int fail_topic(lua_State *L) { return vm_fail(L, "a topic " TOPIC_NAME_RULE, "topic"); }

// publish(topic, string | table [, {except, event, kind, key}]) -> id | nil, message, code
static int hub_publish_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  lua_settop(L, 3);
  bool is_json = lua_istable(L, 2);
  struct slice payload = args_check_payload(L, 2, "publish: value");
  struct message_fields fields = check_publish_options(L, 3);
  if (!hub_topic_is_valid(topic)) return fail_topic(L);
  fields.topic = topic;
  fields.payload = payload;
  fields.is_json = is_json;
  if ((fields.kind == MESSAGE_TEXT || is_json) && !utf8_is_valid(payload))
    return vm_fail(L, "text must be UTF-8", "utf8");
  if (!utf8_is_valid(fields.key)) return vm_fail(L, "a key must be UTF-8", "utf8");
  if (!event_is_valid(fields.event)) {
    return vm_fail(L, "an event name has at most 255 bytes and no control characters", "event");
  }
  struct worker *worker = vm_of(L)->worker;
  uint64_t seq = 0;
  if (hub_publish(worker->hub, worker->port, message_new(&fields), &seq) == HUB_TOO_LARGE)
    return vm_fail(L, "too large", "too_large");
  char id[HUB_ID_MAX];
  hub_id_format(worker->hub, seq, id);
  lua_pushstring(L, id);
  return 1;
}

// count(topic) -> subscribers on all workers | nil, message, code
static int hub_count_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  if (!hub_topic_is_valid(topic)) return fail_topic(L);
  lua_pushinteger(L, (lua_Integer)hub_count(vm_of(L)->worker->hub, topic));
  return 1;
}

// ---- reading the hub -----------------------------------------------------

static size_t check_limit(lua_State *L, int index, const char *what, size_t otherwise) {
  size_t limit = otherwise;
  if (lua_getfield(L, index, "limit") != LUA_TNIL) {
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
      luaL_error(L, "%s: limit must be a whole number, 1 or more", what);
    limit = (size_t)lua_tointeger(L, -1);
  }
  lua_pop(L, 1);
  return limit;
}

static struct hub_history_options check_history_options(lua_State *L, int index) {
  static const char *const names[] = {"since", "limit", "reverse", NULL};
  struct hub_history_options options = {.since = HUB_SINCE_NOW};
  if (lua_isnoneornil(L, index)) return options;
  luaL_checktype(L, index, LUA_TTABLE);
  args_check_options(L, index, names, "history");
  options.limit = check_limit(L, index, "history", 0);
  int type = lua_getfield(L, index, "reverse");
  if (type != LUA_TNIL && type != LUA_TBOOLEAN)
    luaL_error(L, "history: reverse must be true or false, got %s", luaL_typename(L, -1));
  options.is_reverse = lua_toboolean(L, -1);
  options.since = topic_check_since(L, index, "history", &options.id);
  return options;
}

static void push_message(lua_State *L, struct hub *hub, const struct message *m, double now_s,
                         uint64_t now_ms) {
  message_info_push(L, hub, m);
  vm_push_slice(L, message_payload(m));
  lua_setfield(L, -2, "data");
  lua_pushnumber(L, now_s - (double)(now_ms - m->published_ms) / 1000);
  lua_setfield(L, -2, "time");
}

static void release_history(void *history) { hub_history_free(history); }

// history(topic [, {since, limit, reverse}]) -> array of messages, {recovered, missed}
// | nil, message, code
static int hub_history_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  lua_settop(L, 2);
  struct hub_history_options options = check_history_options(L, 2);
  if (!hub_topic_is_valid(topic)) return fail_topic(L);
  struct hub *hub = vm_of(L)->worker->hub;
  struct hub_history *history = box_push_owned(L, sizeof *history, release_history);
  int owned = lua_gettop(L);
  *history = hub_history_read(hub, topic, &options);
  double now_s = clock_wall_s();
  uint64_t now_ms = clock_mono_ms();
  lua_createtable(L, (int)history->count, 0);
  for (size_t i = 0; i < history->count; i++) {
    push_message(L, hub, history->messages[i], now_s, now_ms);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_createtable(L, 0, 2);
  lua_pushboolean(L, history->recovered);
  lua_setfield(L, -2, "recovered");
  if (history->missed_known) {
    lua_pushinteger(L, (lua_Integer)history->missed);
    lua_setfield(L, -2, "missed");
  }
  box_release(L, owned);
  return 2;
}

static int by_name(const void *a, const void *b) {
  const struct hub_topic_info *x = a, *y = b;
  size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
  int order = memcmp(x->name, y->name, len);
  return order != 0 ? order : (int)x->name_len - (int)y->name_len;
}

static void release_pointer(void *memory) { free(*(void **)memory); }

// topics([pattern [, {limit}]]) -> array of {topic, count, messages}, whether there are more
// | nil, message, code
static int hub_topics_function(lua_State *L) {
  static const char *const names[] = {"limit", NULL};
  enum { LIMIT = 10000 };
  struct slice pattern = lua_isnoneornil(L, 1) ? slice_str("**") : args_check_string(L, 1);
  size_t limit = LIMIT, count = 0;
  bool has_more = false;
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    args_check_options(L, 2, names, "topics");
    limit = check_limit(L, 2, "topics", LIMIT);
  }
  if (!hub_topic_is_valid(pattern)) return vm_fail(L, "a pattern " TOPIC_NAME_RULE, "topic");
  struct hub_topic_info **found = box_push_owned(L, sizeof *found, release_pointer);
  int owned = lua_gettop(L);
  *found = hub_topics(vm_of(L)->worker->hub, pattern, limit, &count, &has_more);
  if (count > 0) qsort(*found, count, sizeof **found, by_name);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    const struct hub_topic_info *info = &(*found)[i];
    lua_createtable(L, 0, 3);
    vm_push_slice(L, slice_of(info->name, info->name_len));
    lua_setfield(L, -2, "topic");
    lua_pushinteger(L, info->subscribers);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, (lua_Integer)info->messages);
    lua_setfield(L, -2, "messages");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  box_release(L, owned);
  lua_pushboolean(L, has_more);
  return 2;
}

static void release_buf(void *buf) { buf_free(buf); }

// presence(topic) -> array of {id, info, since}, in order of joining | nil, message, code
static int hub_presence_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  if (!hub_topic_is_valid(topic)) return fail_topic(L);
  struct buf *text = box_push_owned(L, sizeof *text, release_buf);
  int owned = lua_gettop(L);
  hub_presence(vm_of(L)->worker->hub, topic, text);
  vm_push_slice(L, buf_slice(text));
  box_release(L, owned);
  return json_decode(L, lua_gettop(L));
}

// subscribe(pattern, fn): fn(topic, data, info) for each message, while scripts load
static int hub_subscribe_function(lua_State *L) {
  struct vm *vm = vm_of(L);
  struct slice pattern = topic_check_pattern(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (vm->loading == NULL)
    return luaL_error(L, "gate.subscribe can only be called while scripts load");
  lua_settop(L, 2);
  if (!tap_declare(vm->loading, pattern, vm_ref(L)))
    return luaL_error(L, "there may be %d subscriptions of patterns", HUB_TAPS);
  return 0;
}

static const luaL_Reg functions[] = {
    {"publish", hub_publish_function},
    {"count", hub_count_function},
    {"history", hub_history_function},
    {"topics", hub_topics_function},
    {"presence", hub_presence_function},
    {"subscribe", hub_subscribe_function},
    {NULL, NULL},
};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_hub = {.name = "hub", .open = open_module};
