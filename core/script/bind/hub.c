// core.publish, count, history, topics, presence, subscribe.
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "net/worker.h"
#include "proto/http_response.h"
#include "script/bind/modules.h"
#include "script/bind/options.h"
#include "script/bind/topic.h"
#include "script/reload/generation.h"
#include "script/serve/message_info.h"
#include "script/serve/outbox.h"
#include "script/serve/session.h"
#include "script/serve/tap.h"
#include "script/vm/args.h"
#include "script/vm/box.h"
#include "script/vm/json.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

static void read_except(lua_State *L, const char *what, void *out) {
  struct message_fields *fields = out;
  const struct script_session *session = script_session_test(L, -1);
  if (session == NULL)
    luaL_error(L, "%s: except must be a ws or a stream, got %s", what, luaL_typename(L, -1));
  else if (!session->is_over)
    fields->except = session->id;
}

static const struct option_choice kinds[] = {
    {"text", MESSAGE_TEXT}, {"binary", MESSAGE_BINARY}, {NULL, 0}};

static const struct option publish_rows[] = {
    {.name = "except",
     .type = OPTION_ANY,
     .read = read_except,
     .luals = "tidegate.Connection",
     .help = "a session that does not get it"},
    {.name = "event",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct message_fields, event),
     .help = "its name on streams"},
    {.name = "kind",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct message_fields, kind),
     .choices = kinds,
     .luals = "tidegate.kind",
     .help = "`\"text\"` or `\"binary\"`"},
    {.name = "key",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct message_fields, key),
     .most = UINT16_MAX,
     .help =
         "a later message of the same key supersedes this one, see [keys](lua/doc/topics.md#keys)"},
};
const struct option_table publish_options = {.name = "publish", OPTION_ROWS(publish_rows)};

static bool event_is_valid(struct slice event) {
  return event.len <= 255 && http_header_value_is_valid(event) && utf8_is_valid(event);
}

// While scripts load: true, and the message waits until they are live.
static int publish_later(lua_State *L, const struct message_fields *fields) {
  luaL_where(L, 1);
  if (!outbox_add(vm_of(L)->loading, fields, lua_tostring(L, -1)))
    return luaL_error(L, "publish: at most %d messages and %d bytes while scripts load",
                      OUTBOX_MESSAGES, OUTBOX_BYTES);
  lua_pushboolean(L, 1);
  return 1;
}

// publish(topic, string | table [, {except, event, kind, key}]) -> id, or true while scripts
// load | nil, message, code
static int hub_publish_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  lua_settop(L, 3);
  bool is_json = lua_istable(L, 2);
  struct slice payload = args_check_payload(L, 2, "publish: value");
  struct message_fields fields = {.kind = MESSAGE_TEXT};
  options_read(L, 3, &publish_options, "publish", &fields);
  enum hub_status status = hub_publish_check(topic);
  if (status != HUB_OK) return topic_fail(L, status);
  fields.topic = topic;
  fields.payload = payload;
  fields.is_json = is_json;
  if ((fields.kind == MESSAGE_TEXT || is_json) && !utf8_is_valid(payload))
    return vm_fail(L, "text must be UTF-8", "utf8");
  if (!utf8_is_valid(fields.key)) return vm_fail(L, "a key must be UTF-8", "utf8");
  if (!event_is_valid(fields.event)) {
    return vm_fail(L, "an event name has at most 255 bytes and no control characters", "event");
  }
  if (vm_of(L)->loading != NULL) return publish_later(L, &fields);
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
  enum hub_status status = hub_topic_check(topic);
  if (status != HUB_OK) return topic_fail(L, status);
  lua_pushinteger(L, (lua_Integer)hub_count(vm_of(L)->worker->hub, topic));
  return 1;
}

// ---- reading the hub -----------------------------------------------------

static void read_history_since(lua_State *L, const char *what, void *out) {
  struct hub_history_options *options = out;
  options->since = topic_check_since(L, what, &options->id);
}

static const struct option history_rows[] = {
    {.name = "since",
     .type = OPTION_ANY,
     .read = read_history_since,
     .luals = "string",
     .help =
         "an id: what came after it; `\"first\"`: all that is kept; `\"last\"`: the newest kept"},
    {.name = "limit",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct hub_history_options, limit),
     .least = 1,
     .fallback = "none",
     .help = "that many messages at most"},
    {.name = "reverse",
     .type = OPTION_BOOLEAN,
     OPTION_FIELD(struct hub_history_options, is_reverse),
     .help = "the newest first; with an id what came *before* it, for scrolling back"},
};
const struct option_table history_options = {.name = "history", OPTION_ROWS(history_rows)};

// A table that was published, as a table; or the text.
static void push_data(lua_State *L, const struct message *m) {
  if (m->is_json) {
    int pushed = json_decode(L, message_payload(m));
    if (pushed == 1) return;
    lua_pop(L, pushed);
  }
  vm_push_slice(L, message_payload(m));
}

static void push_message(lua_State *L, struct hub *hub, const struct message *m) {
  message_info_push(L, hub, m);
  push_data(L, m);
  lua_setfield(L, -2, "data");
  lua_pushnumber(L, (double)m->time_ns / 1e9);
  lua_setfield(L, -2, "time");
}

static void release_history(void *history) { hub_history_free(history); }

// history(topic [, {since, limit, reverse}]) -> array of messages, {recovered, missed}
// | nil, message, code
static int hub_history_function(lua_State *L) {
  struct slice topic = args_check_string(L, 1);
  lua_settop(L, 2);
  struct hub_history_options options = {.since = HUB_SINCE_NOW};
  options_read(L, 2, &history_options, "history", &options);
  enum hub_status status = hub_topic_check(topic);
  if (status != HUB_OK) return topic_fail(L, status);
  struct hub *hub = vm_of(L)->worker->hub;
  struct hub_history *history = box_push_owned(L, sizeof *history, release_history);
  int owned = lua_gettop(L);
  *history = hub_history_read(hub, topic, &options);
  lua_createtable(L, (int)history->count, 0);
  json_mark_array(L);
  for (size_t i = 0; i < history->count && !watchdog_is_over(L); i++) {
    push_message(L, hub, history->messages[i]);
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

static const struct option topics_rows[] = {
    {.name = "limit",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct hub_topics_query, limit),
     .least = 1,
     .otherwise = 10000,
     .help = "that many topics at most"},
};
const struct option_table topics_options = {
    .name = "topics", OPTION_ROWS(topics_rows), .has_defaults = true};

// topics([pattern [, {limit}]]) -> array of {topic, count, messages}, whether there are more
// | nil, message, code
static int hub_topics_function(lua_State *L) {
  struct slice pattern = lua_isnoneornil(L, 1) ? slice_str("**") : args_check_string(L, 1);
  struct hub_topics_query query = {.pattern = pattern, .is_over = watchdog_is_over, .ctx = L};
  size_t count = 0;
  bool has_more = false;
  options_read(L, 2, &topics_options, "topics", &query);
  if (!hub_pattern_is_valid(pattern)) return vm_fail(L, "a pattern " TOPIC_NAME_RULE, "topic");
  struct hub_topic_info **found = box_push_owned(L, sizeof *found, release_pointer);
  int owned = lua_gettop(L);
  *found = hub_topics(vm_of(L)->worker->hub, &query, &count, &has_more);
  if (count > 0) qsort(*found, count, sizeof **found, by_name);
  lua_createtable(L, (int)count, 0);
  json_mark_array(L);
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
  enum hub_status status = hub_topic_check(topic);
  if (status != HUB_OK) return topic_fail(L, status);
  struct buf *text = box_push_owned(L, sizeof *text, release_buf);
  int owned = lua_gettop(L);
  hub_presence(vm_of(L)->worker->hub, topic, text);
  int pushed = json_decode(L, buf_slice(text));
  box_release(L, owned);
  return pushed;
}

// subscribe(pattern, fn): fn(topic, data, info) for each message, while scripts load
static int hub_subscribe_function(lua_State *L) {
  struct vm *vm = vm_of(L);
  struct slice pattern = topic_check_pattern(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (vm->loading == NULL)
    return luaL_error(L, "gate.subscribe can only be called while scripts load");
  lua_settop(L, 2);
  int fn_ref = vm_ref(L);
  if (tap_declare(vm->loading, pattern, fn_ref)) return 0;
  vm_unref(vm, fn_ref);
  return luaL_error(L, "there may be %d subscriptions of patterns", HUB_TAPS);
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
