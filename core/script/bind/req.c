// `req`: the fields of a request's head, read when asked for, and its body.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "net/conn.h"
#include "proto/cookie.h"
#include "proto/url.h"
#include "script/bind/bind.h"
#include "script/serve/exchange.h"
#include "script/vm/task.h"

// ---- fields ---------------------------------------------------------

static void push_decoded(lua_State *L, struct slice s, bool plus_is_space) {
  if (s.len == 0 || (memchr(s.ptr, '%', s.len) == NULL &&
                     (!plus_is_space || memchr(s.ptr, '+', s.len) == NULL))) {
    vm_push_slice(L, s);
    return;
  }
  struct buf out = {0};
  if (url_decode(s, plus_is_space, &out))
    lua_pushlstring(L, out.data == NULL ? "" : out.data, out.end);
  else
    vm_push_slice(L, s);
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

static void push_method(lua_State *L, struct exchange *x) {
  vm_push_slice(L, http_request(x->http)->method_name);
}
static void push_path(lua_State *L, struct exchange *x) {
  push_decoded(L, http_request(x->http)->path, false);
}
static void push_raw_path(lua_State *L, struct exchange *x) {
  vm_push_slice(L, http_request(x->http)->path);
}
static void push_query(lua_State *L, struct exchange *x) {
  bind_push_pairs(L, http_request(x->http)->query);
}
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
      vm_push_slice(L, request->headers[i].value);
      lua_concat(L, 3);
    } else {
      lua_pop(L, 1);
      vm_push_slice(L, request->headers[i].value);
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
      vm_push_slice(L, name);
      lua_pushvalue(L, -1);
      if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        vm_push_slice(L, value);
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

static void push_id(lua_State *L, struct exchange *x) {
  lua_pushfstring(L, "%I-%I", (LUAI_UACINT)x->conn_id, (LUAI_UACINT)x->number);
}

static void push_params(lua_State *L, struct exchange *x) {
  (void)x;
  lua_newtable(L);
}

void bind_push_params(lua_State *L) {
  if (lua_getiuservalue(L, 1, REQ_FIELDS) != LUA_TTABLE) return;  // nil
  lua_pushliteral(L, "params");
  lua_rawget(L, -2);
  lua_replace(L, -2);
}

static const struct field {
  const char *name;
  void (*push)(lua_State *L, struct exchange *exchange);
  bool stays;  // after the answer, also when nobody has read it before
} req_fields[] = {
    {"method", push_method, true},
    {"path", push_path, true},
    {"raw_path", push_raw_path, true},
    {"query", push_query, true},
    {"peer", push_peer, true},
    {"headers", push_headers, false},
    {"cookies", push_cookies, false},
    {"is_upgrade", push_is_upgrade, true},
    {"id", push_id, false},
    {"params", push_params, false},
    {NULL, NULL, false},
};

// Pushes the table of the fields that the request at index 1 keeps.
static void push_kept(lua_State *L) {
  if (lua_getiuservalue(L, 1, REQ_FIELDS) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, REQ_FIELDS);
}

void bind_remember_request(lua_State *L, struct exchange *exchange) {
  push_kept(L);
  for (const struct field *field = req_fields; field->name != NULL; field++) {
    if (!field->stays) continue;
    lua_pushstring(L, field->name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      lua_pop(L, 1);
      field->push(L, exchange);
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 2);
    }
  }
  lua_pop(L, 1);
}

// req.x: a method, then what was set or read before, then a field of the head.
// Upvalues: the methods, and the field readers by name.
static int req_index(lua_State *L) {
  struct exchange_box *box = vm_check_type(L, 1, VM_REQ);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_getiuservalue(L, 1, REQ_FIELDS) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  }
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL) return 1;
  const struct field *field = lua_touserdata(L, -1);
  bool is_here = box->exchange != NULL && box->exchange->http != NULL;
  if (!is_here && field->push != push_params) return 0;  // which needs no request
  field->push(L, box->exchange);
  push_kept(L);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 1;
}

// req.x = value: scripts keep what they like on a request.
static int req_newindex(lua_State *L) {
  vm_check_type(L, 1, VM_REQ);
  lua_settop(L, 3);
  push_kept(L);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

// ---- the body -------------------------------------------------------

static void detach_body(struct task *task) {
  ((struct exchange *)task->waits_for)->body_waiter = NULL;
}

// Pushes the body and goes on with `then`, now or when it is complete.
static int with_body(lua_State *L, lua_KFunction then) {
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  lua_settop(L, 1);
  if (exchange == NULL || exchange->http == NULL) {
    vm_fail(L, "closed", "closed");
    return then(L, LUA_OK, 0);
  }
  if (http_want_body(exchange->http)) {
    vm_push_slice(L, http_body(exchange->http));
    return then(L, LUA_OK, 0);
  }
  struct task *task = task_current(L);
  if (exchange->body_waiter != NULL)
    return luaL_error(L, "another task waits for this body already");
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
  return bind_decode_json(L, 2);
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
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  if (exchange != NULL && exchange->http != NULL) {
    struct slice type = http_request_header(http_request(exchange->http), "content-type");
    struct slice form = slice_str("application/x-www-form-urlencoded");
    if (type.len > form.len && (type.ptr[form.len] == ';' || type.ptr[form.len] == ' '))
      type.len = form.len;
    if (type.ptr != NULL && !slice_equal_nocase(type, form)) {
      return vm_fail(L, "the body is not application/x-www-form-urlencoded", "content_type");
    }
  }
  return with_body(L, return_form);
}

// req:bearer() -> the token of "Authorization: Bearer <token>" | nil
static int req_bearer(lua_State *L) {
  struct exchange *exchange = exchange_check(L, 1, VM_REQ);
  if (exchange == NULL || exchange->http == NULL) return 0;
  struct slice value = http_request_header(http_request(exchange->http), "authorization");
  if (value.len < 8 || !slice_equal_nocase(slice_of(value.ptr, 7), slice_str("bearer "))) return 0;
  vm_push_slice(L, slice_trim(slice_of(value.ptr + 7, value.len - 7)));
  return 1;
}

static const luaL_Reg req_methods[] = {
    {"body", req_body},     {"json", req_json}, {"form", req_form},
    {"bearer", req_bearer}, {NULL, NULL},
};

void bind_open_req(lua_State *L) {
  vm_new_type(L, VM_REQ);
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
}
