// What ws and stream share: fields, join, leave, topics, buffered, drain.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/utf8.h"
#include "net/session.h"
#include "script/bind/modules.h"
#include "script/bind/options.h"
#include "script/bind/session_methods.h"
#include "script/bind/topic.h"
#include "script/serve/join.h"
#include "script/serve/query.h"
#include "script/serve/session.h"
#include "script/serve/wait.h"
#include "script/vm/args.h"
#include "script/vm/json.h"

// ---- fields --------------------------------------------------------------

// Pushes the session's table of fields, made when it has none yet.
static void push_fields(lua_State *L) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, 1);
}

// Pushes the query of the request, still encoded; nil when it has none.
static struct slice push_raw_query(lua_State *L) {
  push_fields(L);
  if (lua_rawgetp(L, -1, &script_session_keys.raw_query) != LUA_TSTRING) return (struct slice){0};
  return args_check_slice(L, -1);
}

// Fields that are made when first asked for, and then kept.
static void push_made_field(lua_State *L, struct script_session *session, const char *name) {
  if (strcmp(name, "query") == 0) {
    query_push_pairs(L, push_raw_query(L));
  } else if (strcmp(name, "raw_query") == 0) {
    if (push_raw_query(L).len == 0) lua_pushliteral(L, "");
  } else if (strcmp(name, "data") == 0 || strcmp(name, "params") == 0) {
    lua_newtable(L);
  } else if (strcmp(name, "peer") == 0 && session->net != NULL) {
    char peer[64];
    session_peer(session->net, peer, sizeof peer);
    lua_pushstring(L, peer);
  } else {
    lua_pushnil(L);
    return;
  }
  push_fields(L);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

// conn.x: a method (upvalue 1), then a field.
static int index_session(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  struct script_session *session = script_session_check(L, 1);
  if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  }
  lua_settop(L, 2);
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const char *name = lua_tostring(L, 2);
  if (strcmp(name, "id") == 0)
    lua_pushinteger(L, (lua_Integer)session->id);
  else
    push_made_field(L, session, name);
  return 1;
}

// conn.x = value: conn.data, and whatever a script keeps on a connection.
static int newindex_session(lua_State *L) {
  script_session_check(L, 1);
  lua_settop(L, 3);
  push_fields(L);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

static int session_to_string(lua_State *L) {
  struct script_session *session = script_session_check(L, 1);
  const char *kind = session->is_ws ? "ws" : "stream";
  if (session->is_over)
    lua_pushfstring(L, "%s (closed)", kind);
  else
    lua_pushfstring(L, "%s %I", kind, (LUAI_UACINT)session->id);
  return 1;
}

// conn:query_all([name]) -> array, or table of arrays
static int query_all(lua_State *L) {
  script_session_check(L, 1);
  lua_settop(L, 2);
  query_push_all(L, push_raw_query(L), 2);
  return 1;
}

// ---- topics --------------------------------------------------------------

static void read_join_since(lua_State *L, const char *what, void *out) {
  struct hub_join_options *options = out;
  options->since = topic_check_since(L, what, &options->id);
}

static void read_as(lua_State *L, const char *what, void *out) {
  struct hub_join_options *options = out;
  if (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
    luaL_error(L, "%s: as must be a string or a whole number, got %s", what, luaL_typename(L, -1));
  options->as = args_check_slice(L, -1);
}

static void read_info(lua_State *L, const char *what, void *out) {
  struct hub_join_options *options = out;
  if (options->as.ptr == NULL) luaL_error(L, "%s: info is about a member: it needs as", what);
  json_encode(L, lua_gettop(L), "join: info");
  options->info = args_check_slice(L, -1);
}

static const struct option join_rows[] = {
    {.name = "since",
     .type = OPTION_ANY,
     .read = read_join_since,
     .luals = "string",
     .help =
         "an id: replay what came after it. `\"first\"`: all that is kept. `\"last\"`: the newest "
         "kept. Absent: only what comes. On a stream whose client comes back, what it saw last "
         "counts for each topic instead, unless `since` is an id"},
    {.name = "as",
     .type = OPTION_ANY,
     .read = read_as,
     .luals = "string|integer",
     .help =
         "makes a member of the topic: the user's id, a string or whole number of 1 to 255 bytes "
         "without control characters. See [presence](lua/doc/presence.md)"},
    // Below `as`, which it needs.
    {.name = "info",
     .type = OPTION_ANY,
     .read = read_info,
     .help = "about the member: any value that has a JSON form, at most 16 KiB of it "
             "(`\"too_large\"`), of UTF-8 (`\"utf8\"`). Later joins of the same user replace it"},
    {.name = "lag",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct hub_join_options, lag),
     .choices = topic_lags,
     .fallback = "the topic's rule",
     .luals = "tidegate.lag",
     .help = "what happens when this session falls behind what is kept: `\"skip\"` (go on at the "
             "oldest kept), `\"latest\"` (go on at the newest), `\"close\"` (1013, or end of "
             "stream). See [gaps](lua/doc/ws-and-stream.md#gaps)"},
};
const struct option_table join_options = {.name = "join", OPTION_ROWS(join_rows)};

// conn:join(topic [, {since, lag, as, info}]) -> {recovered, missed, id} | nil, message, code
static int join(lua_State *L) {
  struct script_session *session = script_session_check(L, 1);
  vm_refuse_while_loading(L);
  args_check_string(L, 2);
  struct hub_join_options options = {.since = HUB_SINCE_NOW};
  options_read(L, 3, &join_options, "join", &options);
  if (script_session_net(session) == NULL) return vm_fail(L, "closed", "closed");
  // Info goes out to others as text, which must not break their connections.
  if (!utf8_is_valid(options.info)) return vm_fail(L, "info must be UTF-8", "utf8");
  struct hub_join_result result;
  char id[HUB_ID_MAX];
  enum hub_status status = join_topic(L, 1, 2, &options, &result, id);
  if (status != HUB_OK) return topic_fail(L, status);
  lua_createtable(L, 0, result.missed_known ? 3 : 2);
  lua_pushboolean(L, result.recovered);
  lua_setfield(L, -2, "recovered");
  if (result.missed_known) {
    lua_pushinteger(L, (lua_Integer)result.missed);
    lua_setfield(L, -2, "missed");
  }
  lua_pushstring(L, id);
  lua_setfield(L, -2, "id");
  return 1;
}

// conn:leave(topic) -> true | nil, message, code
static int leave(lua_State *L) {
  struct session *net = script_session_check_net(L, 1);
  vm_refuse_while_loading(L);
  struct slice topic = args_check_string(L, 2);
  if (net == NULL) return vm_fail(L, "closed", "closed");
  enum hub_status status = hub_topic_check(topic);
  if (status == HUB_OK) status = hub_leave(&net->reader, topic);
  if (status != HUB_OK) return topic_fail(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

static void add_topic(void *arg, struct slice topic) {
  lua_State *L = arg;
  lua_pushlstring(L, topic.ptr, topic.len);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

// conn:topics() -> array of names, in order of joining | nil, "closed", "closed"
static int topics(lua_State *L) {
  struct session *net = script_session_check_net(L, 1);
  if (net == NULL) return vm_fail(L, "closed", "closed");
  lua_newtable(L);
  json_mark_array(L);
  hub_reader_topics(&net->reader, add_topic, L);
  return 1;
}

// conn:buffered() -> bytes of direct sends that wait for the socket
static int buffered(lua_State *L) {
  const struct session *net = script_session_check(L, 1)->net;
  lua_pushinteger(L, net == NULL ? 0 : (lua_Integer)session_out_bytes(net));
  return 1;
}

// conn:drain([seconds]) -> true | nil, "closed" | "timeout", code: waits until
// no direct sends wait for the socket
static int drain(lua_State *L) {
  struct script_session *session = script_session_check(L, 1);
  return wait_drained(L, session, args_opt_seconds(L, 2));
}

static const luaL_Reg shared_methods[] = {
    {"join", join},   {"leave", leave},         {"topics", topics}, {"buffered", buffered},
    {"drain", drain}, {"query_all", query_all}, {NULL, NULL},
};

static void open_type(lua_State *L, struct box_type *type, const luaL_Reg *methods) {
  box_new_type(L, type);
  luaL_newlib(L, shared_methods);
  luaL_setfuncs(L, methods, 0);
  lua_pushcclosure(L, index_session, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, newindex_session);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, session_to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}

static void open_module(lua_State *L) {
  open_type(L, &script_session_ws_type, session_ws_methods);
  open_type(L, &script_session_stream_type, session_stream_methods);
}

struct script_module bind_session = {.name = "session", .open = open_module};
