// `res`: status, headers, cookies, and a response in pieces.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>

#include "proto/cookie.h"
#include "script/bind/modules.h"
#include "script/serve/exchange.h"
#include "script/vm/args.h"
#include "script/vm/task.h"

enum { MAX_AGE_S = INT32_MAX };  // 68 years; browsers keep a cookie for 400 days at most

static struct exchange *check_res(lua_State *L) {
  return box_check_pointer(L, 1, &exchange_res_type);
}

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
  struct slice name = args_check_slice(L, 2);
  struct slice value = args_check_slice(L, 3);
  exchange_check_header(L, name);
  if (exchange != NULL && !exchange_set_header(exchange, name, value, true)) {
    return vm_fail(L, "a header name or value has characters that HTTP forbids", "header");
  }
  lua_settop(L, 1);
  return 1;
}

// res:cookie(name, value [, {path, domain, max_age, secure, http_only,
// same_site}]) -> res | nil, message, "cookie"
static int res_cookie(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice name = args_check_slice(L, 2);
  struct slice value = args_check_slice(L, 3);
  struct cookie_options options = {.max_age_s = -1, .http_only = true};
  if (!lua_isnoneornil(L, 4)) {
    static const char *const names[] = {"path",      "domain",    "max_age", "secure",
                                        "http_only", "same_site", NULL};
    luaL_checktype(L, 4, LUA_TTABLE);
    args_check_options(L, 4, names, "cookie");
    options.path = args_opt_slice_field(L, 4, "path", "cookie");
    options.domain = args_opt_slice_field(L, 4, "domain", "cookie");
    options.same_site = args_opt_slice_field(L, 4, "same_site", "cookie");
    options.secure = args_opt_flag_field(L, 4, "secure", false);
    options.http_only = args_opt_flag_field(L, 4, "http_only", true);
    options.max_age_s =
        (int64_t)ceil(args_opt_number_field(L, 4, "max_age", "cookie", 0, MAX_AGE_S, -1));
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

// The status of a response made by hand, once nothing more can be set.
static int settle_status(struct exchange *exchange) {
  int status = exchange->status != 0 ? exchange->status : 200;
  exchange_complete_headers(exchange, status);
  return status;
}

static void start_streaming(struct exchange *exchange) {
  if (http_is_started(exchange->call)) return;
  int status = settle_status(exchange);
  http_respond_head(exchange->call, status, exchange->fields, exchange->field_count);
}

// res:write(text) -> true | nil, "closed", "closed": sends a piece of the
// response; waits while too much is on its way
static int res_write(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice text = args_check_slice(L, 2);
  if (exchange == NULL || exchange->call == NULL) return vm_fail(L, "closed", "closed");
  if (!list_is_empty(&exchange->drainers))
    return luaL_error(L, "another task waits in res:write already");
  start_streaming(exchange);
  if (http_respond_write(exchange->call, text) == HTTP_SEND_FULL)
    return task_wait_in(L, &exchange->drainers, -1, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

// res:finish() -> true | nil, "closed", "closed": ends the response
static int res_finish(lua_State *L) {
  struct exchange *exchange = check_res(L);
  if (exchange == NULL || exchange->call == NULL) return vm_fail(L, "closed", "closed");
  if (!http_is_started(exchange->call)) {
    int status = settle_status(exchange);
    http_respond(exchange->call, status, exchange->fields, exchange->field_count,
                 (struct slice){0});
  } else {
    http_respond_end(exchange->call);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg res_methods[] = {
    {"status", res_status}, {"header", res_header}, {"cookie", res_cookie},
    {"write", res_write},   {"finish", res_finish}, {NULL, NULL},
};

static int res_index(lua_State *L) {
  struct exchange *exchange = check_res(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "started") == 0) {
    lua_pushboolean(L,
                    exchange == NULL || exchange->call == NULL || http_is_started(exchange->call));
  }
  return 1;
}

static void open_module(lua_State *L) {
  box_new_type(L, &exchange_res_type);
  luaL_newlib(L, res_methods);
  lua_pushcclosure(L, res_index, 1);
  lua_setfield(L, -2, "__index");
}

struct script_module bind_res = {.name = "res", .open = open_module};
