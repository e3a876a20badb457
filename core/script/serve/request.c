// The fields of requests: see request.h.
#include "script/serve/request.h"

#include <lauxlib.h>
#include <string.h>

#include "net/session.h"
#include "proto/cookie.h"
#include "proto/url.h"
#include "script/serve/exchange.h"
#include "script/serve/query.h"
#include "script/vm/vm.h"

// ---- reading the head ----------------------------------------------------

static void push_method(lua_State *L, struct exchange *x) {
  vm_push_slice(L, x->call->request->method_name);
}
static void push_path(lua_State *L, struct exchange *x) {
  struct slice path = x->call->request->path;
  if (memchr(path.ptr, '%', path.len) == NULL) {
    vm_push_slice(L, path);
    return;
  }
  luaL_Buffer buffer;
  long len = url_decode(path, luaL_buffinitsize(L, &buffer, path.len));
  // Not negative: the server has refused a path that cannot be decoded.
  luaL_pushresultsize(&buffer, len < 0 ? 0 : (size_t)len);
}
static void push_raw_path(lua_State *L, struct exchange *x) {
  vm_push_slice(L, x->call->request->path);
}
static void push_query(lua_State *L, struct exchange *x) {
  query_push_pairs(L, x->call->request->query);
}
static void push_raw_query(lua_State *L, struct exchange *x) {
  vm_push_slice(L, x->call->request->query);
}
static void push_is_upgrade(lua_State *L, struct exchange *x) {
  lua_pushboolean(L, x->call->request->upgrades_websocket);
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
  const struct http_request *request = x->call->request;
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
  const struct http_request *request = x->call->request;
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
  http_peer(x->call, peer, sizeof peer);
  lua_pushstring(L, peer);
}

static void push_id(lua_State *L, struct exchange *x) {
  lua_pushfstring(L, "%I-%I", (LUAI_UACINT)x->conn_id, (LUAI_UACINT)x->number);
}

static void push_params(lua_State *L, struct exchange *x) {
  (void)x;
  lua_newtable(L);
}

// ---- what is kept --------------------------------------------------------

void request_push_params(lua_State *L) {
  if (lua_getiuservalue(L, 1, REQ_FIELDS) != LUA_TTABLE) return;  // nil
  lua_pushliteral(L, "params");
  lua_rawget(L, -2);
  lua_replace(L, -2);
}

const struct request_field request_fields[] = {
    {"method", push_method, true, false},         {"path", push_path, true, false},
    {"raw_path", push_raw_path, true, false},     {"query", push_query, true, false},
    {"raw_query", push_raw_query, true, false},   {"peer", push_peer, true, false},
    {"headers", push_headers, false, false},      {"cookies", push_cookies, false, false},
    {"is_upgrade", push_is_upgrade, true, false}, {"id", push_id, false, false},
    {"params", push_params, false, true},         {.name = NULL},
};

// Pushes the table of the fields that the request at index 1 keeps.
void request_push_kept(lua_State *L) {
  if (lua_getiuservalue(L, 1, REQ_FIELDS) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 8);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, REQ_FIELDS);
}

void request_remember(lua_State *L, struct exchange *exchange) {
  request_push_kept(L);
  for (const struct request_field *field = request_fields; field->name != NULL; field++) {
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
