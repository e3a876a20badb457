// `req`: the fields of a request and its body.
#include <lauxlib.h>
#include <lua.h>

#include "script/bind/modules.h"
#include "script/serve/exchange.h"
#include "script/serve/query.h"
#include "script/serve/request.h"
#include "script/vm/args.h"
#include "script/vm/json.h"
#include "script/vm/task.h"

static struct exchange *check_req(lua_State *L) {
  return box_check_pointer(L, 1, &exchange_req_type);
}

// ---- fields ---------------------------------------------------------

// req.x: a method, then what was set or read before, then a field of the head.
// Upvalues: the methods, and the field readers by name.
static int req_index(lua_State *L) {
  struct exchange *exchange = box_check_pointer(L, 1, &exchange_req_type);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_getiuservalue(L, 1, REQ_FIELDS) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  }
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL) return 1;
  const struct request_field *field = lua_touserdata(L, -1);
  bool is_here = exchange != NULL && exchange->call != NULL;
  if (!is_here && !field->needs_no_head) return 0;
  field->push(L, exchange);
  request_push_kept(L);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 1;
}

// req.x = value: scripts keep what they like on a request.
static int req_newindex(lua_State *L) {
  box_check(L, 1, &exchange_req_type);
  lua_settop(L, 3);
  request_push_kept(L);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

// ---- the body -------------------------------------------------------

// Pushes the body behind the method's `args` arguments and goes on with `then`, now or
// when it is complete.
static int with_body(lua_State *L, int args, lua_KFunction then) {
  struct exchange *exchange = check_req(L);
  lua_settop(L, 1 + args);
  if (exchange == NULL || exchange->call == NULL) {
    vm_fail(L, "closed", "closed");
    return then(L, LUA_OK, 0);
  }
  if (http_want_body(exchange->call)) {
    vm_push_slice(L, http_body(exchange->call));
    return then(L, LUA_OK, 0);
  }
  task_current(L);  // raises first where it cannot wait
  if (!list_is_empty(&exchange->body_waiters))
    return luaL_error(L, "another task waits for this body already");
  return task_wait_in(L, &exchange->body_waiters, -1, then);
}

static int return_body(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return lua_gettop(L) - 1;
}

// req:body() -> string | nil, "closed", "closed"
static int req_body(lua_State *L) { return with_body(L, 0, return_body); }

static int return_json(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  if (lua_isnil(L, 2)) return lua_gettop(L) - 1;
  return json_decode(L, args_check_slice(L, 2));
}

// req:json() -> value | nil, message, "json" | nil, "closed", "closed"
static int req_json(lua_State *L) { return with_body(L, 0, return_json); }

static int return_form(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  if (lua_isnil(L, 2)) return lua_gettop(L) - 1;
  query_push_pairs(L, args_check_slice(L, 2));
  return 1;
}

static int return_form_all(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  if (lua_isnil(L, 3)) return lua_gettop(L) - 2;
  query_push_all(L, args_check_slice(L, 3), 2);
  return 1;
}

// Whether the body is declared as something else.
static bool is_no_form(const struct exchange *exchange) {
  if (exchange == NULL || exchange->call == NULL) return false;
  struct slice type = http_request_header(exchange->call->request, "content-type");
  struct slice form = slice_str("application/x-www-form-urlencoded");
  if (type.len > form.len && (type.ptr[form.len] == ';' || type.ptr[form.len] == ' '))
    type.len = form.len;
  return type.ptr != NULL && !slice_equal_nocase(type, form);
}

static int with_form(lua_State *L, int args, lua_KFunction then) {
  if (is_no_form(check_req(L)))
    return vm_fail(L, "the body is not application/x-www-form-urlencoded", "content_type");
  return with_body(L, args, then);
}

// req:form() -> table | nil, message, code: application/x-www-form-urlencoded
static int req_form(lua_State *L) { return with_form(L, 0, return_form); }

// req:form_all([name]) -> array, or table of arrays | nil, message, code
static int req_form_all(lua_State *L) {
  if (!lua_isnoneornil(L, 2)) args_check_string(L, 2);
  return with_form(L, 1, return_form_all);
}

// req:query_all([name]) -> array, or table of arrays
static int req_query_all(lua_State *L) {
  const struct exchange *exchange = check_req(L);
  lua_settop(L, 2);
  struct slice query = {0};
  if (exchange != NULL && exchange->call != NULL)
    query = exchange->call->request->query;
  else if (lua_getfield(L, 1, "raw_query") == LUA_TSTRING)
    query = args_check_slice(L, 3);
  query_push_all(L, query, 2);
  return 1;
}

// req:bearer() -> the token of "Authorization: Bearer <token>" | nil
static int req_bearer(lua_State *L) {
  struct exchange *exchange = check_req(L);
  if (exchange == NULL || exchange->call == NULL) return 0;
  struct slice value = http_request_header(exchange->call->request, "authorization");
  if (value.len < 8 || !slice_equal_nocase(slice_of(value.ptr, 7), slice_str("bearer "))) return 0;
  vm_push_slice(L, slice_trim(slice_of(value.ptr + 7, value.len - 7)));
  return 1;
}

static const luaL_Reg req_methods[] = {
    {"body", req_body},     {"json", req_json},
    {"form", req_form},     {"form_all", req_form_all},
    {"bearer", req_bearer}, {"query_all", req_query_all},
    {NULL, NULL},
};

static void open_module(lua_State *L) {
  box_new_type(L, &exchange_req_type);
  luaL_newlib(L, req_methods);
  lua_newtable(L);
  for (const struct request_field *field = request_fields; field->name != NULL; field++) {
    lua_pushlightuserdata(L, (void *)field);
    lua_setfield(L, -2, field->name);
  }
  lua_pushcclosure(L, req_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, req_newindex);
  lua_setfield(L, -2, "__newindex");
}

struct script_module bind_req = {.name = "req", .open = open_module};
