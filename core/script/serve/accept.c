// Accepting a session: see accept.h.
#include "script/serve/accept.h"

#include <lauxlib.h>

#include "net/session.h"
#include "net/sse.h"
#include "net/ws.h"
#include "proto/ws_handshake.h"
#include "script/reload/route.h"
#include "script/serve/answer.h"
#include "script/serve/events.h"
#include "script/serve/exchange.h"
#include "script/serve/join.h"
#include "script/serve/request.h"
#include "script/serve/session.h"
#include "script/vm/args.h"

// Checked once: SHA-1 costs a tenth of a handshake.
static const struct ws_handshake *check_handshake(struct exchange *exchange) {
  if (exchange->handshake.status == 0)
    exchange->handshake = ws_handshake_check(exchange->call->request);
  return &exchange->handshake;
}

int accept_push_refusal(lua_State *L, struct exchange *exchange) {
  const struct ws_handshake *handshake = check_handshake(exchange);
  if (handshake->status == 101) return 0;
  lua_pushinteger(L, handshake->status);
  lua_pushfstring(L, "%s\n", handshake->reason);
  lua_newtable(L);
  if (handshake->status == 426) {
    lua_pushliteral(L, "13");
    lua_setfield(L, -2, "Sec-WebSocket-Version");
    lua_pushliteral(L, "websocket");
    lua_setfield(L, -2, "Upgrade");
  }
  return 3;
}

// A field of a session to be, whose value is on the stack.
struct field {
  const char *name;  // NULL: it is the framework's own
  const void *key;
};

// Pushes the values of what the session keeps of its request; returns how many.
static int push_values(lua_State *L, const struct acceptance *a, struct field *fields) {
  int count = 0;
  const struct http_request *request = a->exchange->call->request;
  lua_pushvalue(L, a->data);
  fields[count++].name = "data";
  request_push_params(L);
  fields[count++].name = "params";
  if (request->query.len > 0) {
    vm_push_slice(L, request->query);
    fields[count++].key = &script_session_keys.raw_query;
  }
  if (a->route->is_ws) {
    lua_pushvalue(L, a->protocol);
    fields[count++].name = "protocol";
  } else if (join_push_last_event_id(L, request)) {  // only streams resume by it
    fields[count++].name = "last_event_id";
    lua_pushvalue(L, -1);
    fields[count++].key = &script_session_keys.last_event_id;
  }
  return count;
}

// Pushes the table of them, or nothing when that is nothing. Returns its index, or 0.
static int push_fields(lua_State *L, const struct acceptance *a) {
  int base = lua_gettop(L);
  struct field fields[5] = {{NULL, NULL}};
  int count = push_values(L, a, fields);
  int present = 0;
  for (int i = 1; i <= count; i++) present += !lua_isnil(L, base + i);
  if (present == 0) return 0;
  lua_createtable(L, 0, present);
  for (int i = 1; i <= count; i++) {
    if (lua_isnil(L, base + i)) continue;
    lua_pushvalue(L, base + i);
    if (fields[i - 1].name != NULL)
      lua_setfield(L, -2, fields[i - 1].name);
    else
      lua_rawsetp(L, -2, fields[i - 1].key);
  }
  return lua_gettop(L);
}

static int finish(lua_State *L, const struct acceptance *a, struct session *net,
                  enum http_send_status sent, struct script_session *session) {
  if (net == NULL) {
    script_session_abandon(vm_of(L), session);
    if (sent == HTTP_SENT) return 0;
    a->exchange->is_answered = false;
    if (sent == HTTP_SEND_BAD_FIELD)
      return answer_fail(L, a->origin,
                         "a header of the handshake was set (Upgrade, Sec-WebSocket-...)");
    return vm_fail(L, "the response has started already", "started");
  }
  events_start(vm_of(L), session, net);
  exchange_release_task(a->exchange);
  return 1;
}

int accept_websocket(lua_State *L, const struct acceptance *a) {
  const struct ws_handshake *handshake = check_handshake(a->exchange);
  if (handshake->status != 101) return vm_fail(L, handshake->reason, "handshake");
  struct ws_options options = {.heartbeat_ms = a->route->heartbeat_ms,
                               .max_message = a->route->max_message_bytes,
                               .has_envelope = a->route->has_envelope,
                               .compress = a->route->compress};
  if (!lua_isnil(L, a->protocol)) options.protocol = args_check_slice(L, a->protocol);
  struct script_session *session = script_session_push(L, a->route, push_fields(L, a));
  struct session *net = NULL;
  a->exchange->is_answered = a->is_bare;
  enum http_send_status sent = ws_accept(a->exchange->call, handshake, &options,
                                         a->exchange->fields, a->exchange->field_count, &net);
  return finish(L, a, net, sent, session);
}

int accept_stream(lua_State *L, const struct acceptance *a) {
  struct sse_options options = {.keepalive_ms = a->route->keepalive_ms};
  struct script_session *session = script_session_push(L, a->route, push_fields(L, a));
  struct session *net = NULL;
  a->exchange->is_answered = a->is_bare;
  enum http_send_status sent =
      sse_accept(a->exchange->call, &options, a->exchange->fields, a->exchange->field_count, &net);
  return finish(L, a, net, sent, session);
}
