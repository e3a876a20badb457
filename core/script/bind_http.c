// `req` and `res`, and what the router calls to answer: core.respond,
// core.accept_ws, core.accept_sse, core.ws_check, core.set_route.
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "net/conn.h"
#include "net/sse_conn.h"
#include "net/worker.h"
#include "net/ws_conn.h"
#include "proto/cookie.h"
#include "proto/http_response.h"
#include "proto/url.h"
#include "proto/ws_handshake.h"
#include "script/bind.h"
#include "script/exchange.h"
#include "script/session.h"
#include "script/task.h"

// ---- req: fields ---------------------------------------------------------

static void push_slice(lua_State *L, struct slice s) { lua_pushlstring(L, s.len > 0 ? s.ptr : "", s.len); }

static void push_decoded(lua_State *L, struct slice s, bool plus_is_space) {
  if (s.len == 0 || (memchr(s.ptr, '%', s.len) == NULL && (!plus_is_space || memchr(s.ptr, '+', s.len) == NULL))) {
    push_slice(L, s);
    return;
  }
  struct buf out = {0};
  if (url_decode(s, plus_is_space, &out)) lua_pushlstring(L, out.data == NULL ? "" : out.data, out.end);
  else push_slice(L, s);
  buf_free(&out);
}

void bind_push_pairs(lua_State *L, struct slice text) {
  lua_newtable(L);
  struct slice name, value;
  while (url_next_pair(&text, &name, &value)) {
    push_decoded(L, name, true);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      lua_pop(L, 1);
      push_decoded(L, value, true);
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 2);
    }
  }
}

static void push_method(lua_State *L, struct exchange *x) { push_slice(L, http_request(x->http)->method_name); }
static void push_path(lua_State *L, struct exchange *x) { push_decoded(L, http_request(x->http)->path, false); }
static void push_raw_path(lua_State *L, struct exchange *x) { push_slice(L, http_request(x->http)->path); }
static void push_query(lua_State *L, struct exchange *x) { bind_push_pairs(L, http_request(x->http)->query); }
static void push_is_upgrade(lua_State *L, struct exchange *x) {
  lua_pushboolean(L, http_request(x->http)->upgrades_websocket);
}

static void push_lower(lua_State *L, struct slice name) {
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, name.len);
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];
    out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  luaL_pushresultsize(&buffer, name.len);
}

// Names in lower case; the values of a repeated one are joined with ", "
// (RFC 9110 5.3; Cookie with "; ", RFC 9113 8.2.3).
static void push_headers(lua_State *L, struct exchange *x) {
  const struct http_request *request = http_request(x->http);
  lua_createtable(L, 0, (int)request->header_count);
  for (size_t i = 0; i < request->header_count; i++) {
    push_lower(L, request->headers[i].name);
    lua_pushvalue(L, -1);
    bool is_cookie = strcmp(lua_tostring(L, -1), "cookie") == 0;
    if (lua_rawget(L, -3) == LUA_TSTRING) {
      lua_pushstring(L, is_cookie ? "; " : ", ");
      push_slice(L, request->headers[i].value);
      lua_concat(L, 3);
    } else {
      lua_pop(L, 1);
      push_slice(L, request->headers[i].value);
    }
    lua_rawset(L, -3);
  }
}

static void push_cookies(lua_State *L, struct exchange *x) {
  const struct http_request *request = http_request(x->http);
  lua_newtable(L);
  for (size_t i = 0; i < request->header_count; i++) {
    if (!slice_equal_nocase(request->headers[i].name, slice_str("cookie"))) continue;
    struct slice rest = request->headers[i].value;
    struct slice name, value;
    while (cookie_next(&rest, &name, &value)) {
      push_slice(L, name);
      lua_pushvalue(L, -1);
      if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        push_slice(L, value);
        lua_rawset(L, -3);
      } else {
        lua_pop(L, 2);
      }
    }
  }
}

static void push_peer(lua_State *L, struct exchange *x) {
  char peer[64];
  conn_peer(http_conn_of(x->http), peer, sizeof peer);
  lua_pushstring(L, peer);
}

static void push_id(lua_State *L, struct exchange *x) { lua_pushfstring(L, "%I-%I", (LUAI_UACINT)x->conn_id, (LUAI_UACINT)x->number); }

static void push_params(lua_State *L, struct exchange *x) {
  (void)x;
  lua_newtable(L);
}

static const struct field {
  const char *name;
  void (*push)(lua_State *L, struct exchange *exchange);
} req_fields[] = {
  {"method", push_method}, {"path", push_path},       {"raw_path", push_raw_path}, {"query", push_query},
  {"peer", push_peer},     {"headers", push_headers}, {"cookies", push_cookies},   {"is_upgrade", push_is_upgrade},
  {"id", push_id},         {"params", push_params},   {NULL, NULL},
};

// req.x: a method, then what was set or read before, then a field of the head.
// Upvalues: the methods, and the field readers by name.
static int req_index(lua_State *L) {
  struct exchange_box *box = luaL_checkudata(L, 1, exchange_req_type);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  bool has_cache = lua_getiuservalue(L, 1, 1) == LUA_TTABLE;
  if (has_cache) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  }
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL || box->exchange == NULL || box->exchange->http == NULL) {
    lua_pushnil(L);
    return 1;
  }
  const struct field *field = lua_touserdata(L, -1);
  field->push(L, box->exchange);
  if (!has_cache) {
    lua_createtable(L, 0, 4);
    lua_setiuservalue(L, 1, 1);
  }
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 1;
}

// req.x = value: scripts keep what they like on a request.
static int req_newindex(lua_State *L) {
  luaL_checkudata(L, 1, exchange_req_type);
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
    lua_replace(L, -2);
  }
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

// ---- req: the body -------------------------------------------------------

static void detach_body(struct task *task) { ((struct exchange *)task->waits_for)->body_waiter = NULL; }

// Pushes the body and goes on with `then`, now or when it is complete.
static int with_body(lua_State *L, lua_KFunction then) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
  lua_settop(L, 1);
  if (exchange == NULL || exchange->http == NULL) {
    vm_fail(L, "closed", "closed");
    return then(L, LUA_OK, 0);
  }
  if (http_want_body(exchange->http)) {
    push_slice(L, http_body(exchange->http));
    return then(L, LUA_OK, 0);
  }
  struct task *task = task_current(L);
  if (exchange->body_waiter != NULL) return luaL_error(L, "another task waits for this body already");
  exchange->body_waiter = task;
  task_set_wait(task, exchange, detach_body);
  return task_wait(L, then);
}

static int return_body(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return lua_gettop(L) - 1;
}

// req:body() -> string | nil, "closed", "closed"
static int req_body(lua_State *L) { return with_body(L, return_body); }

static int return_json(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  if (lua_isnil(L, 2)) return lua_gettop(L) - 1;
  bind_push_json_decoder(L);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) return 1;
  return vm_fail(L, lua_tostring(L, -1), "json");
}

// req:json() -> value | nil, message, "json" | nil, "closed", "closed"
static int req_json(lua_State *L) { return with_body(L, return_json); }

static int return_form(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  if (lua_isnil(L, 2)) return lua_gettop(L) - 1;
  bind_push_pairs(L, vm_check_slice(L, 2));
  return 1;
}

// req:form() -> table | nil, message, code: application/x-www-form-urlencoded
static int req_form(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
  if (exchange != NULL && exchange->http != NULL) {
    struct slice type = http_request_header(http_request(exchange->http), "content-type");
    struct slice form = slice_str("application/x-www-form-urlencoded");
    if (type.len > form.len && (type.ptr[form.len] == ';' || type.ptr[form.len] == ' ')) type.len = form.len;
    if (type.ptr != NULL && !slice_equal_nocase(type, form)) {
      return vm_fail(L, "the body is not application/x-www-form-urlencoded", "content_type");
    }
  }
  return with_body(L, return_form);
}

// req:bearer() -> the token of "Authorization: Bearer <token>" | nil
static int req_bearer(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
  if (exchange == NULL || exchange->http == NULL) return 0;
  struct slice value = http_request_header(http_request(exchange->http), "authorization");
  if (value.len < 8 || !slice_equal_nocase(slice_of(value.ptr, 7), slice_str("bearer "))) return 0;
  push_slice(L, slice_trim(slice_of(value.ptr + 7, value.len - 7)));
  return 1;
}

static const luaL_Reg req_methods[] = {
  {"body", req_body}, {"json", req_json}, {"form", req_form}, {"bearer", req_bearer}, {NULL, NULL},
};

// ---- res -----------------------------------------------------------------

static struct exchange *check_res(lua_State *L) { return exchange_check(L, 1, exchange_res_type); }

// res:status(n) -> res
static int res_status(lua_State *L) {
  struct exchange *exchange = check_res(L);
  lua_Integer status = luaL_checkinteger(L, 2);
  luaL_argcheck(L, status >= 200 && status <= 599, 2, "must be a status from 200 to 599");
  if (exchange != NULL) exchange->status = (int)status;
  lua_settop(L, 1);
  return 1;
}

// res:header(name, value) -> res | nil, message, "header"
static int res_header(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice name = vm_check_slice(L, 2);
  struct slice value = vm_check_slice(L, 3);
  if (exchange != NULL && !exchange_set_header(exchange, name, value, true)) {
    return vm_fail(L, "a header name or value has characters that HTTP forbids", "header");
  }
  lua_settop(L, 1);
  return 1;
}

static bool flag_field(lua_State *L, int index, const char *name, bool otherwise) {
  bool value = lua_getfield(L, index, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

// res:cookie(name, value [, {path, domain, max_age, secure, http_only,
// same_site}]) -> res | nil, message, "cookie"
static int res_cookie(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice name = vm_check_slice(L, 2);
  struct slice value = vm_check_slice(L, 3);
  struct cookie_options options = {.max_age_s = -1, .http_only = true};
  if (!lua_isnoneornil(L, 4)) {
    static const char *const names[] = {"path", "domain", "max_age", "secure", "http_only", "same_site", NULL};
    luaL_checktype(L, 4, LUA_TTABLE);
    bind_check_options(L, 4, names, "cookie");
    options.path = vm_opt_field_slice(L, 4, "path", "cookie");
    options.domain = vm_opt_field_slice(L, 4, "domain", "cookie");
    options.same_site = vm_opt_field_slice(L, 4, "same_site", "cookie");
    options.secure = flag_field(L, 4, "secure", false);
    options.http_only = flag_field(L, 4, "http_only", true);
    if (lua_getfield(L, 4, "max_age") != LUA_TNIL) options.max_age_s = (int64_t)luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  struct buf out = {0};
  const char *wrong = cookie_write(&out, name, value, &options);
  if (wrong == NULL && exchange != NULL) {
    exchange_set_header(exchange, slice_str("Set-Cookie"), buf_slice(&out), false);
  }
  buf_free(&out);
  if (wrong != NULL) return vm_fail(L, wrong, "cookie");
  lua_settop(L, 1);
  return 1;
}

static enum http_send_status start_streaming(struct exchange *exchange) {
  if (http_is_started(exchange->http)) return HTTP_SENT;
  int status = exchange->status != 0 ? exchange->status : 200;
  return http_respond_head(exchange->http, status, exchange->fields, exchange->field_count);
}

static void detach_drainer(struct task *task) { ((struct exchange *)task->waits_for)->drainer = NULL; }

// res:write(text) -> true | nil, "closed", "closed": sends a piece of the
// response; waits while too much is on its way
static int res_write(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice text = vm_check_slice(L, 2);
  if (exchange == NULL || exchange->http == NULL) return vm_fail(L, "closed", "closed");
  if (start_streaming(exchange) == HTTP_SEND_BAD_FIELD) {
    return luaL_error(L, "a header that belongs to the server was set (Content-Length, Connection, ...)");
  }
  if (http_respond_write(exchange->http, text) == HTTP_SEND_FULL) {
    struct task *task = task_current(L);
    exchange->drainer = task;
    task_set_wait(task, exchange, detach_drainer);
    return task_wait(L, NULL);
  }
  lua_pushboolean(L, 1);
  return 1;
}

// res:finish() -> true | nil, "closed", "closed": ends the response
static int res_finish(lua_State *L) {
  struct exchange *exchange = check_res(L);
  if (exchange == NULL || exchange->http == NULL) return vm_fail(L, "closed", "closed");
  if (!http_is_started(exchange->http)) {
    int status = exchange->status != 0 ? exchange->status : 200;
    http_respond(exchange->http, status, exchange->fields, exchange->field_count, (struct slice){0});
  } else {
    http_respond_end(exchange->http);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg res_methods[] = {
  {"status", res_status}, {"header", res_header}, {"cookie", res_cookie},
  {"write", res_write},   {"finish", res_finish}, {NULL, NULL},
};

static int res_index(lua_State *L) {
  struct exchange_box *box = luaL_checkudata(L, 1, exchange_res_type);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "started") == 0) {
    struct exchange *exchange = box->exchange;
    lua_pushboolean(L, exchange == NULL || exchange->http == NULL || http_is_started(exchange->http));
  }
  return 1;
}

// ---- answering -----------------------------------------------------------

// Adds {name = value | {values}} to the response's headers.
static void take_headers(lua_State *L, struct exchange *exchange, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a header name must be a string");
    struct slice name = vm_check_slice(L, -2);
    bool many = lua_istable(L, -1);
    size_t count = many ? (size_t)lua_rawlen(L, -1) : 1;
    for (size_t i = 1; i <= count; i++) {
      if (many) lua_rawgeti(L, -1, (lua_Integer)i);
      else lua_pushvalue(L, -1);
      if (!lua_isstring(L, -1)) luaL_error(L, "header %s: must be a string, got %s", name.ptr, luaL_typename(L, -1));
      if (!exchange_set_header(exchange, name, vm_check_slice(L, -1), i == 1 && !many)) {
        luaL_error(L, "header %s: has characters that HTTP forbids", name.ptr);
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
}

static void set_default_type(struct exchange *exchange, const char *type) {
  if (exchange_has_header(exchange, "content-type")) return;
  exchange_set_header(exchange, slice_str("Content-Type"), slice_str(type), true);
}

// The body that the value at `index` means; sets the content type.
static struct slice take_body(lua_State *L, struct exchange *exchange, int index) {
  if (lua_isnil(L, index)) return (struct slice){0};
  if (lua_istable(L, index)) {
    bind_push_json(L, index);
    lua_replace(L, index);
    set_default_type(exchange, "application/json");
  } else if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
    set_default_type(exchange, "text/plain; charset=utf-8");
  } else {
    luaL_error(L, "a handler returned a %s as its response body", luaL_typename(L, index));
  }
  return vm_check_slice(L, index);
}

// core.respond(req, res, ...): sends what the values mean (lua/README.md)
static int respond(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
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
    lua_Integer wanted = luaL_checkinteger(L, 3);
    if (wanted < 200 || wanted > 599) return luaL_error(L, "a handler returned status %I", (LUAI_UACINT)wanted);
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
    return luaL_error(L, "a handler returned a %s; it may return a string, a table, or a status", luaL_typename(L, 3));
  }
  struct slice body = take_body(L, exchange, body_index);
  exchange->is_answered = true;
  if (http_respond(exchange->http, status != 0 ? status : 200, exchange->fields, exchange->field_count, body) ==
      HTTP_SEND_BAD_FIELD) {
    exchange->is_answered = false;
    return luaL_error(L, "a header that belongs to the server was set (Content-Length, Connection, ...)");
  }
  return 0;
}

// core.set_route(req, key): names the route for the log
static int set_route(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
  if (exchange != NULL) snprintf(exchange->route, sizeof exchange->route, "%s", luaL_checkstring(L, 2));
  return 0;
}

// core.ws_check(req) -> nil | status, message, headers
static int ws_check(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, exchange_req_type);
  if (exchange == NULL || exchange->http == NULL) return 0;
  struct ws_handshake handshake = ws_handshake_check(http_request(exchange->http));
  if (handshake.status == 101) return 0;
  lua_pushinteger(L, handshake.status);
  lua_pushfstring(L, "%s\n", handshake.reason);
  lua_newtable(L);
  if (handshake.status == 426) {
    lua_pushliteral(L, "13");
    lua_setfield(L, -2, "Sec-WebSocket-Version");
    lua_pushliteral(L, "websocket");
    lua_setfield(L, -2, "Upgrade");
  }
  return 3;
}

// Pushes what the session's object keeps of the request at index 1.
static void push_context(lua_State *L, struct exchange *exchange, int data, int protocol) {
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, data);
  lua_setfield(L, -2, "data");
  lua_getfield(L, 1, "params");
  lua_setfield(L, -2, "params");
  struct slice query = http_request(exchange->http)->query;
  if (query.len > 0) {
    push_slice(L, query);
    lua_setfield(L, -2, "raw_query");
  }
  struct slice last_id = http_request_header(http_request(exchange->http), "last-event-id");
  if (last_id.ptr != NULL) {
    push_slice(L, last_id);
    lua_setfield(L, -2, "last_event_id");
  }
  if (protocol != 0 && !lua_isnil(L, protocol)) {
    lua_pushvalue(L, protocol);
    lua_setfield(L, -2, "protocol");
  }
}

struct acceptance {
  struct exchange *exchange;
  const struct route *route;
};

// The common part of accept_ws and accept_sse: arguments (req, route_key,
// data, protocol | nil, headers | nil).
static struct acceptance check_accept(lua_State *L) {
  struct acceptance a = {exchange_check(L, 1, exchange_req_type), NULL};
  // By key: the generation may have changed while the request waited.
  a.route = generation_find_route(vm_of(L)->live, luaL_checkstring(L, 2));
  lua_settop(L, 5);
  if (a.exchange == NULL || a.exchange->http == NULL) return (struct acceptance){0};
  if (a.route == NULL) luaL_error(L, "the route %s is gone", lua_tostring(L, 2));
  if (!lua_isnil(L, 5)) take_headers(L, a.exchange, 5);
  return a;
}

static int finish_accept(lua_State *L, const struct acceptance *a, struct conn *conn, enum http_send_status sent) {
  if (sent == HTTP_SEND_BAD_FIELD) {
    return luaL_error(L, "a header that belongs to the server was set (Connection, Upgrade, ...)");
  }
  if (sent != HTTP_SENT) return vm_fail(L, "the response has started already", "started");
  session_push_new(L, conn, a->route, 6);
  exchange_release_task(a->exchange);
  return 1;
}

// core.accept_ws(req, route_key, data, protocol, headers) -> ws | nil, message, code
static int accept_ws(lua_State *L) {
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  struct ws_handshake handshake = ws_handshake_check(http_request(a.exchange->http));
  if (handshake.status != 101) return vm_fail(L, handshake.reason, "handshake");
  push_context(L, a.exchange, 3, 4);
  struct ws_options options = {.heartbeat_ms = a.route->heartbeat_ms,
                               .max_message = (uint32_t)a.route->max_message_bytes};
  if (!lua_isnil(L, 4)) options.protocol = vm_check_slice(L, 4);
  struct conn *conn = NULL;
  enum http_send_status sent = ws_accept(a.exchange->http, handshake.accept, &options, a.exchange->fields,
                                         a.exchange->field_count, &conn);
  return finish_accept(L, &a, conn, sent);
}

// core.accept_sse(req, route_key, data, headers) -> stream | nil, message, code
static int accept_sse(lua_State *L) {
  lua_settop(L, 4);
  lua_pushnil(L);  // no protocol
  lua_insert(L, 4);
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  push_context(L, a.exchange, 3, 0);
  struct sse_options options = {.keepalive_ms = a.route->keepalive_ms};
  struct conn *conn = NULL;
  enum http_send_status sent =
      sse_accept(a.exchange->http, &options, a.exchange->fields, a.exchange->field_count, &conn);
  return finish_accept(L, &a, conn, sent);
}

static const luaL_Reg functions[] = {
  {"respond", respond},     {"set_route", set_route},   {"ws_check", ws_check},
  {"accept_ws", accept_ws}, {"accept_sse", accept_sse}, {NULL, NULL},
};

void bind_open_http(lua_State *L) {
  luaL_setfuncs(L, functions, 0);

  luaL_newmetatable(L, exchange_req_type);
  luaL_newlib(L, req_methods);
  lua_newtable(L);
  for (const struct field *field = req_fields; field->name != NULL; field++) {
    lua_pushlightuserdata(L, (void *)field);
    lua_setfield(L, -2, field->name);
  }
  lua_pushcclosure(L, req_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, req_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pop(L, 1);

  luaL_newmetatable(L, exchange_res_type);
  luaL_newlib(L, res_methods);
  lua_pushcclosure(L, res_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
