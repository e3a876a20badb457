// `res`: status, headers, cookies, and a response in pieces.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "proto/cookie.h"
#include "script/bind/modules.h"
#include "script/bind/options.h"
#include "script/serve/exchange.h"
#include "script/vm/args.h"
#include "script/vm/task.h"

static const struct option cookie_rows[] = {
    {.name = "path",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct cookie_options, path),
     .fallback = "`\"/\"`",
     .help = "the paths below which browsers send it"},
    {.name = "domain",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct cookie_options, domain),
     .fallback = "this host alone",
     .help = "the domain whose hosts get it"},
    // 68 years; browsers keep a cookie for 400 days at most.
    {.name = "max_age",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct cookie_options, max_age_s),
     .most = INT32_MAX,
     .otherwise = -1,
     .fallback = "until the browser ends",
     .help = "seconds that browsers keep it; 0: delete"},
    {.name = "secure",
     .type = OPTION_TRUTH,
     OPTION_FIELD(struct cookie_options, secure),
     .help = "only over HTTPS"},
    {.name = "http_only",
     .type = OPTION_TRUTH,
     OPTION_FIELD(struct cookie_options, http_only),
     .otherwise = true,
     .help = "hidden from scripts in pages"},
    {.name = "same_site",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct cookie_options, same_site),
     .fallback = "`\"Lax\"`",
     .luals = "\"Lax\"|\"Strict\"|\"None\"",
     .help = "whether requests from other sites carry it: `\"Lax\"`, `\"Strict\"` or `\"None\"`, "
             "which needs `secure`"},
};
const struct option_table cookie_options = {
    .name = "cookie", OPTION_ROWS(cookie_rows), .has_defaults = true};

static struct exchange *check_res(lua_State *L) {
  struct exchange *exchange = box_check_pointer(L, 1, &exchange_res_type);
  vm_refuse_while_loading(L);
  return exchange;
}

// res:status(n) -> res
static int res_status(lua_State *L) {
  struct exchange *exchange = check_res(L);
  lua_Integer status = luaL_checkinteger(L, 2);
  luaL_argcheck(L, status >= 200 && status <= 599, 2, "must be a status from 200 to 599");
  if (exchange != NULL) {
    exchange_warn_late(L, exchange, "res:status");
    exchange->status = (int)status;
  }
  lua_settop(L, 1);
  return 1;
}

// res:header(name, value) -> res | nil, message, "header"
static int res_header(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice name = args_check_slice(L, 2);
  struct slice value = args_check_slice(L, 3);
  exchange_check_header(L, name);
  if (exchange != NULL) exchange_warn_late(L, exchange, "res:header");
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
  struct cookie_options options = {0};
  options_read(L, 4, &cookie_options, "cookie", &options);
  if (exchange != NULL) exchange_warn_late(L, exchange, "res:cookie");
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
  exchange->is_finished = true;
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
  struct exchange *exchange = box_check_pointer(L, 1, &exchange_res_type);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "started") == 0) {
    lua_pushboolean(L,
                    exchange == NULL || exchange->call == NULL || http_is_started(exchange->call));
  }
  return 1;
}

static int res_newindex(lua_State *L) {
  const char *name = luaL_tolstring(L, 2, NULL);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return luaL_error(L, "res.%s is a method: write res:%s(...)", name, name);
  return luaL_error(L, "res.%s cannot be set: keep what is yours on req", name);
}

static void open_module(lua_State *L) {
  box_new_type(L, &exchange_res_type);
  luaL_newlib(L, res_methods);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, res_newindex, 1);
  lua_setfield(L, -3, "__newindex");
  lua_pushcclosure(L, res_index, 1);
  lua_setfield(L, -2, "__index");
}

struct script_module bind_res = {.name = "res", .open = open_module};
