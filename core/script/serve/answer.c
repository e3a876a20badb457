// What a handler's return values mean: see answer.h.
#include "script/serve/answer.h"

#include <lauxlib.h>

#include "base/utf8.h"
#include "net/app.h"
#include "proto/http_response.h"
#include "script/serve/exchange.h"
#include "script/vm/args.h"
#include "script/vm/json.h"

void answer_add_headers(lua_State *L, struct exchange *exchange, int index) {
  if (!lua_istable(L, index)) {
    luaL_error(L, "a handler returned headers as a %s; they must be a table",
               luaL_typename(L, index));
  }
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "a header name must be a string");
    struct slice name = args_check_slice(L, -2);
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
      if (!exchange_set_header(exchange, name, args_check_slice(L, -1), i == 1 && !many)) {
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
    json_encode(L, index, "the table that a handler returned as its response body");
    lua_replace(L, index);
    *type = "application/json";
    if (!utf8_is_valid(args_check_slice(L, index)))
      luaL_error(
          L, "the table that a handler returned as its response body has text that is not UTF-8");
  } else if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
    *type = "text/plain; charset=utf-8";
  } else {
    luaL_error(L, "a handler returned a %s as its response body", luaL_typename(L, index));
  }
  return args_check_slice(L, index);
}

// type: of the body, unless the handler set one; NULL: none.
static enum http_send_status send_whole(struct exchange *exchange, int status, const char *type,
                                        struct slice body) {
  struct http_field only = {slice_str("Content-Type"), slice_str(type)};
  exchange_complete_headers(exchange, status);
  // Most answers set no header: then nothing needs to be kept.
  if (type != NULL && exchange->field_count == 0)
    return http_respond(exchange->call, status, &only, 1, body);
  if (type != NULL && !exchange_has_header(exchange, "content-type"))
    exchange_set_header(exchange, only.name, only.value, true);
  return http_respond(exchange->call, status, exchange->fields, exchange->field_count, body);
}

static int check_status(lua_State *L, int index) {
  if (lua_tointegerx(L, index, NULL) == 0)
    luaL_error(L, "a handler returned status %f", lua_tonumber(L, index));
  lua_Integer status = lua_tointeger(L, index);
  if (status < 200 || status > 599)
    luaL_error(L, "a handler returned status %I", (LUAI_UACINT)status);
  return (int)status;
}

void answer_send(lua_State *L, struct exchange *exchange, int first) {
  if (http_is_started(exchange->call)) {
    exchange->is_answered = true;
    http_respond_end(exchange->call);
    return;
  }
  int status = exchange->status;
  int body_index = first;
  int kind = lua_type(L, first);
  if (kind == LUA_TNUMBER) {
    status = check_status(L, first);
    body_index = first + 1;
    if (!lua_isnil(L, first + 2)) answer_add_headers(L, exchange, first + 2);
    if (lua_isnil(L, body_index) && !http_status_is_bodiless(status) &&
        exchange->status != status) {
      lua_pushfstring(L, "%s\n", http_status_text(status));
      lua_replace(L, body_index);
    }
  } else if (kind == LUA_TNIL && status == 0) {
    status = 204;
  } else if (kind != LUA_TNIL && kind != LUA_TSTRING && kind != LUA_TTABLE) {
    luaL_error(L, "a handler returned a %s; it may return a string, a table, or a status",
               lua_typename(L, kind));
  }
  const char *type = NULL;
  struct slice body = take_body(L, body_index, &type);
  exchange->is_answered = true;
  if (send_whole(exchange, status != 0 ? status : 200, type, body) == HTTP_SEND_BAD_FIELD) {
    exchange->is_answered = false;
    luaL_error(L, "a header that belongs to the server was set (Content-Length, Connection, ...)");
  }
}
