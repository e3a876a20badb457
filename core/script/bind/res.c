// `res`: status, headers, cookies, and a response in pieces.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>

#include "proto/cookie.h"
#include "script/bind/bind.h"
#include "script/serve/exchange.h"
#include "script/vm/task.h"

enum { MAX_AGE_S = INT32_MAX };  // 68 years; browsers keep a cookie for 400 days at most

static struct exchange *check_res(lua_State *L) { return exchange_check(L, 1, VM_RES); }

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
  exchange_check_header(L, name);
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
    static const char *const names[] = {"path",      "domain",    "max_age", "secure",
                                        "http_only", "same_site", NULL};
    luaL_checktype(L, 4, LUA_TTABLE);
    bind_check_options(L, 4, names, "cookie");
    options.path = vm_opt_field_slice(L, 4, "path", "cookie");
    options.domain = vm_opt_field_slice(L, 4, "domain", "cookie");
    options.same_site = vm_opt_field_slice(L, 4, "same_site", "cookie");
    options.secure = flag_field(L, 4, "secure", false);
    options.http_only = flag_field(L, 4, "http_only", true);
    options.max_age_s =
        (int64_t)ceil(bind_opt_number_field(L, 4, "max_age", "cookie", 0, MAX_AGE_S, -1));
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
  if (http_is_started(exchange->http)) return;
  int status = settle_status(exchange);
  http_respond_head(exchange->http, status, exchange->fields, exchange->field_count);
}

static void detach_drainer(struct task *task) {
  ((struct exchange *)task->waits_for)->drainer = NULL;
}

// res:write(text) -> true | nil, "closed", "closed": sends a piece of the
// response; waits while too much is on its way
static int res_write(lua_State *L) {
  struct exchange *exchange = check_res(L);
  struct slice text = vm_check_slice(L, 2);
  if (exchange == NULL || exchange->http == NULL) return vm_fail(L, "closed", "closed");
  if (exchange->drainer != NULL) return luaL_error(L, "another task waits in res:write already");
  start_streaming(exchange);
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
    int status = settle_status(exchange);
    http_respond(exchange->http, status, exchange->fields, exchange->field_count,
                 (struct slice){0});
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
  struct exchange_box *box = vm_check_type(L, 1, VM_RES);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "started") == 0) {
    struct exchange *exchange = box->exchange;
    lua_pushboolean(L,
                    exchange == NULL || exchange->http == NULL || http_is_started(exchange->http));
  }
  return 1;
}

void bind_open_res(lua_State *L) {
  vm_new_type(L, VM_RES);
  luaL_newlib(L, res_methods);
  lua_pushcclosure(L, res_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
