// Routes of WebSockets and streams: see route.h.
#include "script/reload/route.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// ---- options -------------------------------------------------------------

struct compress_options {
  bool context_takeover;
};

static const struct option compress_rows[] = {
    {.name = "context_takeover",
     .type = OPTION_BOOLEAN,
     OPTION_FIELD(struct compress_options, context_takeover),
     .help = "direct messages refer to those before them, both ways"},
};
const struct option_table compress_options = {
    .name = "compress", .of = "compress", OPTION_ROWS(compress_rows)};

// compress = true | false | { context_takeover = true | false }
static void read_compress(lua_State *L, const char *what, void *out) {
  struct route *route = out;
  struct compress_options compress = {0};
  bool is_on = lua_toboolean(L, -1);
  if (lua_istable(L, -1)) options_read(L, lua_gettop(L), &compress_options, what, &compress);
  route->compress = compress.context_takeover ? WS_COMPRESS_CONTEXT
                    : is_on                   ? WS_COMPRESS_ON
                                              : WS_COMPRESS_OFF;
}

static const struct option_choice on_full[] = {{"refuse", false}, {"close", true}, {NULL, 0}};

static const struct option session_rows[] = {
    {.name = "upgrade",
     .type = OPTION_FUNCTION,
     .luals = "fun(req: tidegate.Request, res: tidegate.Response): ...",
     .help = "decides before anything is sent, see below"},
    {.name = "open",
     .type = OPTION_FUNCTION,
     .luals = "fun(conn: tidegate.Connection)",
     .help = "the session exists"},
    {.name = "message",
     .type = OPTION_FUNCTION,
     OPTION_FIELD(struct route, message_ref),
     .only = "ws",
     .luals = "fun(ws: tidegate.WebSocket, data: string, kind: tidegate.kind)",
     .help = "a whole message arrived; kind is `\"text\"` or `\"binary\"`"},
    {.name = "close",
     .type = OPTION_FUNCTION,
     OPTION_FIELD(struct route, close_ref),
     .luals = "fun(conn: tidegate.Connection, code: integer, reason: string)",
     .help =
         "the session is over. code: see [below](lua/doc/sessions.md#close-codes); 0 for a stream"},
    {.name = "gap",
     .type = OPTION_FUNCTION,
     OPTION_FIELD(struct route, gap_ref),
     .luals = "fun(conn: tidegate.Connection, topic: string, missed: integer)",
     .help = "so many messages of the topic were lost to this session; comes "
             "[before those behind the gap](lua/doc/ws-and-stream.md#gaps)"},
    {.name = "drain",
     .type = OPTION_FUNCTION,
     OPTION_FIELD(struct route, drain_ref),
     .luals = "fun(conn: tidegate.Connection)",
     .help = "after a `send` that was refused with `\"full\"`: there is room again"},
    {.name = "heartbeat",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct route, heartbeat_ms),
     .scale = 1000,
     .setting = "heartbeat",
     .only = "ws",
     .help = "seconds between pings; 0: none"},
    {.name = "envelope",
     .type = OPTION_BOOLEAN,
     OPTION_FIELD(struct route, has_envelope),
     .only = "ws",
     .help = "`true`: topic messages come with id and topic, as JSON; see "
             "[envelopes](lua/doc/ws-and-stream.md#envelopes)"},
    {.name = "compress",
     .type = OPTION_SWITCH,
     .inner = &compress_options,
     .read = read_compress,
     .only = "ws",
     .expected = "true, false, or a table with context_takeover = true or false",
     .fallback = "`false`",
     .help =
         "`true`, or a table of its options: messages are compressed with clients that can; see "
         "[compression](lua/doc/ws-and-stream.md#compression)"},
    {.name = "max_message",
     .type = OPTION_BYTES,
     OPTION_FIELD(struct route, max_message_bytes),
     .least = 1,
     .setting = "max_message",
     .only = "ws",
     .help =
         "bytes; a larger message closes with 1009, also one that is larger once it is inflated"},
    {.name = "protocols",
     .type = OPTION_NAMES,
     .least = 1,
     .only = "ws",
     .expected = "a list of protocol names",
     .help = "list of subprotocols"},
    {.name = "keepalive",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct route, keepalive_ms),
     .scale = 1000,
     .setting = "keepalive",
     .only = "sse",
     .help = "seconds between comments on a quiet stream; 0: none"},
    {.name = "on_full",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct route, closes_when_full),
     .choices = on_full,
     .help = "what a `send` that finds the queue full does beyond being refused: `\"refuse\"`: "
             "nothing; `\"close\"`: the session ends, a WebSocket with 1013 \"too slow\""},
};
const struct option_table session_options = {
    .name = "session", OPTION_ROWS(session_rows), .has_defaults = true};

// ---- reading -------------------------------------------------------------

void route_init(lua_State *L, struct route *route) {
  *route = (struct route){.task_ref = LUA_NOREF};
  options_set_defaults(L, &session_options, route);
}

static void read_route(lua_State *L, struct route *route) {
  int index = lua_gettop(L);
  lua_getfield(L, index, "key");
  route->key = mem_strdup(luaL_checkstring(L, -1));
  lua_getfield(L, index, "kind");
  route->is_ws = strcmp(luaL_checkstring(L, -1), "ws") == 0;
  if (lua_getfield(L, index, "task") != LUA_TNIL) route->task_ref = vm_ref(L);
  lua_getfield(L, index, "options");
  options_read(L, lua_gettop(L), &session_options, route->key, route);
  lua_settop(L, index);
}

void routes_read(lua_State *L, struct routes *out) {
  luaL_checktype(L, -1, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, -1);
  out->all = mem_zalloc((count + 1) * sizeof *out->all);
  for (size_t i = 0; i < count; i++) {
    struct route *route = &out->all[i];
    route_init(L, route);
    out->count++;
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    read_route(L, route);
    lua_pop(L, 1);
  }
}

void routes_free(struct vm *vm, struct routes *routes) {
  for (size_t i = 0; i < routes->count; i++) {
    struct route *route = &routes->all[i];
    vm_unref(vm, route->task_ref);
    options_release(vm, &session_options, route);
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
