// What a handler's return values mean: see answer.h.
#include "script/serve/answer.h"

#include <lauxlib.h>
#include <stdarg.h>

#include "base/log.h"
#include "base/utf8.h"
#include "net/app.h"
#include "proto/http_response.h"
#include "script/serve/exchange.h"
#include "script/vm/args.h"
#include "script/vm/json.h"

// Pushes "app.lua:3: ", where the function at `origin` begins; "" where that is none.
static const char *push_position(lua_State *L, int origin) {
  lua_Debug info;
  if (lua_type(L, origin) != LUA_TFUNCTION || lua_iscfunction(L, origin))
    return lua_pushliteral(L, "");
  lua_pushvalue(L, origin);
  lua_getinfo(L, ">S", &info);
  return lua_pushfstring(L, "%s:%d: ", info.short_src, info.linedefined);
}

int answer_fail(lua_State *L, int origin, const char *format, ...) {
  luaL_checkstack(L, 8, NULL);
  push_position(L, origin);
  va_list values;
  va_start(values, format);
  lua_pushvfstring(L, format, values);
  va_end(values);
  lua_concat(L, 2);
  return lua_error(L);
}

// Pushes what a value is, for messages. No text: it may be a secret.
static const char *push_description(lua_State *L, int index) {
  int type = lua_type(L, index);
  if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER)
    return luaL_tolstring(L, index, NULL);
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
    return lua_pushfstring(L, "a %s", lua_tostring(L, -1));
  return lua_pushfstring(L, "a %s", lua_typename(L, type));
}

// A call at the end of a `return` gives all its values, such as gate.history its second.
#define HINT_SEVERAL "Put a call that gives several values in parentheses"

// ---- headers -------------------------------------------------------------

static void add_header(lua_State *L, struct exchange *exchange, struct slice name, bool replaces,
                       int origin) {
  if (!lua_isstring(L, -1))
    answer_fail(L, origin,
                "this handler returned header %s as %s; it must be a string. " HINT_SEVERAL,
                name.ptr, push_description(L, -1));
  if (!exchange_set_header(exchange, name, args_check_slice(L, -1), replaces))
    answer_fail(L, origin,
                "this handler returned header %s, which has characters that HTTP forbids",
                name.ptr);
}

void answer_add_headers(lua_State *L, struct exchange *exchange, int index, int origin) {
  if (!lua_istable(L, index))
    answer_fail(
        L, origin,
        "this handler returned headers as %s; they must be a table of name = value. " HINT_SEVERAL,
        push_description(L, index));
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING)
      answer_fail(L, origin, "this handler returned headers with a name that is no string (%s)",
                  push_description(L, -2));
    struct slice name = args_check_slice(L, -2);
    if (http_field_is_own(name))
      answer_fail(L, origin, "this handler returned the header %s, which belongs to the server",
                  name.ptr);
    bool many = lua_istable(L, -1);
    size_t count = many ? (size_t)lua_rawlen(L, -1) : 1;
    for (size_t i = 1; i <= count; i++) {
      if (many)
        lua_rawgeti(L, -1, (lua_Integer)i);
      else
        lua_pushvalue(L, -1);
      add_header(L, exchange, name, i == 1 && !many, origin);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
}

// ---- body and status -----------------------------------------------------

// The body that the value at `index` means, and its type.
static struct slice take_body(lua_State *L, int index, int origin, const char **type) {
  if (lua_isnil(L, index)) return (struct slice){0};
  if (lua_istable(L, index)) {
    if (!json_try_encode(L, index))
      answer_fail(L, origin, "this handler returned a table that has no JSON form: %s",
                  lua_tostring(L, -1));
    lua_replace(L, index);
    *type = "application/json";
    if (!utf8_is_valid(args_check_slice(L, index)))
      answer_fail(L, origin, "this handler returned a table with text that is not UTF-8");
  } else if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
    *type = "text/plain; charset=utf-8";
  } else {
    answer_fail(L, origin,
                "this handler returned %s as the body; it must be a string, a table or nil",
                push_description(L, index));
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

static int check_status(lua_State *L, int index, int origin) {
  lua_Integer status = lua_tointeger(L, index);
  if (status < 200 || status > 599)
    answer_fail(L, origin, "this handler returned %s; a status is a whole number from 200 to 599",
                push_description(L, index));
  return (int)status;
}

// Other frameworks have the body first: a number behind it, or a table behind text, is a status or
// headers in the wrong place. Anything else there is what a call gives beside its value
// (`return gate.history(t)`, `return nil, message, code`), and has no meaning here.
static void check_alone(lua_State *L, int first, int origin) {
  int then_kind = lua_type(L, first + 1);
  bool is_headers = then_kind == LUA_TTABLE && lua_type(L, first) == LUA_TSTRING;
  if (then_kind != LUA_TNUMBER && !is_headers) return;
  const char *got = push_description(L, first);
  const char *then = push_description(L, first + 1);
  answer_fail(
      L, origin,
      "this handler returned %s and then %s; the order is status, body, headers (return 404, "
      "body). " HINT_SEVERAL,
      got, then);
}

void answer_warn_dropped(lua_State *L, const struct exchange *exchange, int first, int origin) {
  int kind = lua_type(L, first);
  if (kind != LUA_TNUMBER && kind != LUA_TSTRING && kind != LUA_TTABLE) return;
  const char *position = push_position(L, origin);
  log_warn(
      "%sthis handler returned %s after the response had started: it is dropped\nroute=%s "
      "conn=%llu",
      position, push_description(L, first), exchange->route, exchange->conn_id);
}

void answer_send(lua_State *L, struct exchange *exchange, int first, int origin) {
  if (http_is_started(exchange->call)) {
    answer_warn_dropped(L, exchange, first, origin);
    exchange->is_answered = true;
    http_respond_end(exchange->call);
    return;
  }
  int status = exchange->status;
  int body_index = first;
  int kind = lua_type(L, first);
  if (kind == LUA_TNUMBER) {
    status = check_status(L, first, origin);
    body_index = first + 1;
    if (!lua_isnil(L, first + 2)) answer_add_headers(L, exchange, first + 2, origin);
    if (lua_isnil(L, body_index) && !http_status_is_bodiless(status) &&
        exchange->status != status) {
      lua_pushfstring(L, "%s\n", http_status_text(status));
      lua_replace(L, body_index);
    }
  } else if (kind != LUA_TNIL && kind != LUA_TSTRING && kind != LUA_TTABLE) {
    answer_fail(
        L, origin,
        "this handler returned %s; it may return a string, a table, a status, or status, body, "
        "headers%s",
        push_description(L, first),
        kind == LUA_TFUNCTION ? " (was the function to be called, as req:body()?)" : "");
  } else {
    if (!lua_isnil(L, first + 1)) check_alone(L, first, origin);
    if (kind == LUA_TNIL && status == 0) status = 204;
  }
  const char *type = NULL;
  struct slice body = take_body(L, body_index, origin, &type);
  exchange->is_answered = true;
  if (send_whole(exchange, status != 0 ? status : 200, type, body) == HTTP_SEND_BAD_FIELD) {
    exchange->is_answered = false;
    answer_fail(L, origin,
                "a header that belongs to the server was set (Content-Length, Connection, ...)");
  }
}
