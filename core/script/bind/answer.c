// What the router calls to answer: core.respond, accept_ws, accept_sse, ws_check,
// set_route.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/utf8.h"
#include "net/conn.h"
#include "net/sse_conn.h"
#include "net/ws_conn.h"
#include "proto/http_response.h"
#include "proto/ws_handshake.h"
#include "script/bind/bind.h"
#include "script/serve/exchange.h"
#include "script/serve/session.h"

// Adds {name = value | {values}} to the response's headers.
static void take_headers(lua_State *L, struct exchange *exchange, int index) {
  if (!lua_istable(L, index)) {
    luaL_error(L, "a handler returned headers as a %s; they must be a table",
               luaL_typename(L, index));
  }
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a header name must be a string");
    struct slice name = vm_check_slice(L, -2);
    exchange_check_header(L, name);
    bool many = lua_istable(L, -1);
    size_t count = many ? (size_t)lua_rawlen(L, -1) : 1;
    for (size_t i = 1; i <= count; i++) {
      if (many)
        lua_rawgeti(L, -1, (lua_Integer)i);
      else
        lua_pushvalue(L, -1);
      if (!lua_isstring(L, -1))
        luaL_error(L, "header %s: must be a string, got %s", name.ptr, luaL_typename(L, -1));
      if (!exchange_set_header(exchange, name, vm_check_slice(L, -1), i == 1 && !many)) {
        luaL_error(L, "header %s: has characters that HTTP forbids", name.ptr);
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
}

// The body that the value at `index` means, and its type.
static struct slice take_body(lua_State *L, int index, const char **type) {
  if (lua_isnil(L, index)) return (struct slice){0};
  if (lua_istable(L, index)) {
    bind_push_json(L, index, "the table that a handler returned as its response body");
    lua_replace(L, index);
    *type = "application/json";
    if (!utf8_is_valid(vm_check_slice(L, index)))
      luaL_error(
          L, "the table that a handler returned as its response body has text that is not UTF-8");
  } else if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
    *type = "text/plain; charset=utf-8";
  } else {
    luaL_error(L, "a handler returned a %s as its response body", luaL_typename(L, index));
  }
  return vm_check_slice(L, index);
}

// type: of the body, unless the handler set one; NULL: none.
static enum http_send_status send_whole(struct exchange *exchange, int status, const char *type,
                                        struct slice body) {
  struct http_field only = {slice_str("Content-Type"), slice_str(type)};
  exchange_complete_headers(exchange, status);
  // Most answers set no header: then nothing needs to be kept.
  if (type != NULL && exchange->field_count == 0)
    return http_respond(exchange->http, status, &only, 1, body);
  if (type != NULL && !exchange_has_header(exchange, "content-type"))
    exchange_set_header(exchange, only.name, only.value, true);
  return http_respond(exchange->http, status, exchange->fields, exchange->field_count, body);
}

// core.respond(req, res, ...): sends what the values mean (lua/doc/routes.md)
static int respond(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  lua_settop(L, 5);
  if (exchange == NULL || exchange->http == NULL) return 0;
  if (http_is_started(exchange->http)) {
    exchange->is_answered = true;
    http_respond_end(exchange->http);
    return 0;
  }
  int status = exchange->status;
  int body_index = 3;
  if (lua_type(L, 3) == LUA_TNUMBER) {
    if (lua_tointegerx(L, 3, NULL) == 0) {
      return luaL_error(L, "a handler returned status %f", lua_tonumber(L, 3));
    }
    lua_Integer wanted = lua_tointeger(L, 3);
    if (wanted < 200 || wanted > 599)
      return luaL_error(L, "a handler returned status %I", (LUAI_UACINT)wanted);
    status = (int)wanted;
    body_index = 4;
    if (!lua_isnil(L, 5)) take_headers(L, exchange, 5);
    if (lua_isnil(L, 4) && !http_status_is_bodiless(status) && exchange->status != status) {
      lua_pushfstring(L, "%s\n", http_status_text(status));
      lua_replace(L, 4);
    }
  } else if (lua_isnil(L, 3) && status == 0) {
    status = 204;
  } else if (!lua_isnil(L, 3) && lua_type(L, 3) != LUA_TSTRING && lua_type(L, 3) != LUA_TTABLE) {
    return luaL_error(L, "a handler returned a %s; it may return a string, a table, or a status",
                      luaL_typename(L, 3));
  }
  const char *type = NULL;
  struct slice body = take_body(L, body_index, &type);
  exchange->is_answered = true;
  if (send_whole(exchange, status != 0 ? status : 200, type, body) == HTTP_SEND_BAD_FIELD) {
    exchange->is_answered = false;
    return luaL_error(
        L, "a header that belongs to the server was set (Content-Length, Connection, ...)");
  }
  return 0;
}

// core.set_route(req, key): names the route for the log
static int set_route(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  struct slice name = vm_check_slice(L, 2);
  if (exchange == NULL) return 0;
  if (name.len >= sizeof exchange->route) name.len = sizeof exchange->route - 1;
  memcpy(exchange->route, name.ptr, name.len);
  exchange->route[name.len] = '\0';
  return 0;
}

// The result is kept: SHA-1 costs a tenth of a handshake.
static const struct ws_handshake *check_handshake(struct exchange *exchange) {
  if (exchange->handshake.status == 0)
    exchange->handshake = ws_handshake_check(http_request(exchange->http));
  return &exchange->handshake;
}

// core.ws_check(req) -> nil | status, message, headers
static int ws_check(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  if (exchange == NULL || exchange->http == NULL) return 0;
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

// Pushes the id that the client saw last, if it tells one. Polyfills that cannot
// send the header put it into the query.
static bool push_last_event_id(lua_State *L, const struct http_request *request) {
  static const char *const names[] = {"last_event_id", "lastEventId"};
  struct slice id = http_request_header(request, "last-event-id");
  vm_push_slice(L, id);
  if (id.len > 0) return true;
  lua_pop(L, 1);
  if (request->query.len == 0) return false;
  bind_push_pairs(L, request->query);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (lua_getfield(L, -1, names[i]) == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
      lua_remove(L, -2);
      return true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

// Arguments of accept_ws and accept_sse.
enum { ACCEPT_REQ = 1, ACCEPT_KEY, ACCEPT_IS_BARE, ACCEPT_DATA, ACCEPT_HEADERS, ACCEPT_PROTOCOL };

// Pushes the table of what the session keeps of its request, or
// nothing when that is nothing. Returns its index, or 0.
static int push_fields(lua_State *L, struct exchange *exchange, bool is_ws) {
  int base = lua_gettop(L);
  int count = 0;
  const struct http_request *request = http_request(exchange->http);
  const char *names[5];
  lua_pushvalue(L, ACCEPT_DATA);
  names[count++] = "data";
  bind_push_params(L);
  names[count++] = "params";
  if (request->query.len > 0) {
    vm_push_slice(L, request->query);
    names[count++] = "raw_query";
  }
  // Only streams resume by it.
  if (!is_ws && push_last_event_id(L, request)) names[count++] = "last_event_id";
  if (is_ws) {
    lua_pushvalue(L, ACCEPT_PROTOCOL);
    names[count++] = "protocol";
  }
  int present = 0;
  for (int i = 1; i <= count; i++) present += !lua_isnil(L, base + i);
  if (present == 0) return 0;
  lua_createtable(L, 0, present);
  for (int i = 1; i <= count; i++) {
    if (lua_isnil(L, base + i)) continue;
    lua_pushvalue(L, base + i);
    lua_setfield(L, -2, names[i - 1]);
  }
  return lua_gettop(L);
}

struct acceptance {
  struct exchange *exchange;
  const struct route *route;
};

// What both begin with.
static struct acceptance check_accept(lua_State *L) {
  struct acceptance a = {exchange_check(L, ACCEPT_REQ, VM_REQ), NULL};
  // By key: the generation may have changed while the request waited.
  a.route = generation_find_route(vm_of(L)->live, luaL_checkstring(L, ACCEPT_KEY));
  lua_settop(L, ACCEPT_PROTOCOL);
  if (a.exchange == NULL || a.exchange->http == NULL) return (struct acceptance){0};
  if (a.route == NULL) luaL_error(L, "the route %s is gone", lua_tostring(L, ACCEPT_KEY));
  if (!lua_isnil(L, ACCEPT_HEADERS)) take_headers(L, a.exchange, ACCEPT_HEADERS);
  return a;
}

static int finish_accept(lua_State *L, const struct acceptance *a, struct conn *conn,
                         enum http_send_status sent, struct script_session *session) {
  if (conn == NULL) {
    script_session_abandon(vm_of(L), session);
    if (sent == HTTP_SENT) return 0;
    a->exchange->is_answered = false;
    if (sent == HTTP_SEND_BAD_FIELD)
      return luaL_error(L, "a header of the handshake was set (Upgrade, Sec-WebSocket-...)");
    return vm_fail(L, "the response has started already", "started");
  }
  script_session_start(vm_of(L), session, conn);
  exchange_release_task(a->exchange);
  return 1;
}

// core.accept_ws(req, route_key, is_bare, data | nil, headers | nil, protocol | nil)
//   -> ws | nil, message, code
// is_bare: nothing looks at the request after this.
static int accept_ws(lua_State *L) {
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  const struct ws_handshake *handshake = check_handshake(a.exchange);
  if (handshake->status != 101) return vm_fail(L, handshake->reason, "handshake");
  struct ws_options options = {.heartbeat_ms = a.route->heartbeat_ms,
                               .max_message = (uint32_t)a.route->max_message_bytes,
                               .has_envelope = a.route->has_envelope,
                               .compress = a.route->compress};
  if (!lua_isnil(L, ACCEPT_PROTOCOL)) options.protocol = vm_check_slice(L, ACCEPT_PROTOCOL);
  struct script_session *session =
      script_session_push(L, a.route, push_fields(L, a.exchange, a.route->is_ws));
  struct conn *conn = NULL;
  a.exchange->is_answered = lua_toboolean(L, ACCEPT_IS_BARE);
  enum http_send_status sent = ws_accept(a.exchange->http, handshake, &options, a.exchange->fields,
                                         a.exchange->field_count, &conn);
  return finish_accept(L, &a, conn, sent, session);
}

// core.accept_sse(req, route_key, is_bare, data | nil, headers | nil)
//   -> stream | nil, message, code | nothing (HEAD: answered, without a session)
static int accept_sse(lua_State *L) {
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  struct sse_options options = {.keepalive_ms = a.route->keepalive_ms};
  struct script_session *session =
      script_session_push(L, a.route, push_fields(L, a.exchange, a.route->is_ws));
  struct conn *conn = NULL;
  a.exchange->is_answered = lua_toboolean(L, ACCEPT_IS_BARE);
  enum http_send_status sent =
      sse_accept(a.exchange->http, &options, a.exchange->fields, a.exchange->field_count, &conn);
  return finish_accept(L, &a, conn, sent, session);
}

static const luaL_Reg functions[] = {
    {"respond", respond},     {"set_route", set_route},   {"ws_check", ws_check},
    {"accept_ws", accept_ws}, {"accept_sse", accept_sse}, {NULL, NULL},
};

void bind_open_answer(lua_State *L) { luaL_setfuncs(L, functions, 0); }
