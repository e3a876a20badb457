// What the router calls to answer: core.respond, accept_ws, accept_sse, ws_check,
// set_route.
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "script/bind/modules.h"
#include "script/reload/generation.h"
#include "script/serve/accept.h"
#include "script/serve/answer.h"
#include "script/serve/exchange.h"
#include "script/vm/args.h"

static struct exchange *check_req(lua_State *L) {
  return box_check_pointer(L, 1, &exchange_req_type);
}

// core.respond(req, res, origin, ...): sends what the values mean (lua/doc/routes.md).
// origin: the function that returned them | nil, for errors
static int respond(lua_State *L) {
  enum { ORIGIN = 3, FIRST, LAST = FIRST + 2 };
  struct exchange *exchange = check_req(L);
  lua_settop(L, LAST);
  if (exchange == NULL) return 0;
  if (exchange->call != NULL)
    answer_send(L, exchange, FIRST, ORIGIN);
  else if (exchange->is_finished)
    answer_warn_dropped(L, exchange, FIRST, ORIGIN);
  return 0;
}

// core.set_route(req, key): names the route for the log
static int set_route(lua_State *L) {
  struct exchange *exchange = check_req(L);
  struct slice name = args_check_slice(L, 2);
  if (exchange == NULL) return 0;
  if (name.len >= sizeof exchange->route) name.len = sizeof exchange->route - 1;
  memcpy(exchange->route, name.ptr, name.len);
  exchange->route[name.len] = '\0';
  return 0;
}

// core.ws_check(req) -> nil | status, message, headers
static int ws_check(lua_State *L) {
  struct exchange *exchange = check_req(L);
  if (exchange == NULL || exchange->call == NULL) return 0;
  return accept_push_refusal(L, exchange);
}

// Arguments of accept_ws and accept_sse.
enum {
  ACCEPT_REQ = 1,
  ACCEPT_KEY,
  ACCEPT_IS_BARE,
  ACCEPT_DATA,
  ACCEPT_HEADERS,
  ACCEPT_ORIGIN,
  ACCEPT_PROTOCOL
};

// What both begin with.
static struct acceptance check_accept(lua_State *L) {
  struct acceptance a = {.exchange = check_req(L),
                         .origin = ACCEPT_ORIGIN,
                         .data = ACCEPT_DATA,
                         .protocol = ACCEPT_PROTOCOL};
  // By key: the generation may have changed while the request waited.
  a.route = routes_find(&vm_of(L)->live->routes, luaL_checkstring(L, ACCEPT_KEY));
  lua_settop(L, ACCEPT_PROTOCOL);
  a.is_bare = lua_toboolean(L, ACCEPT_IS_BARE);
  if (a.exchange == NULL || a.exchange->call == NULL) return (struct acceptance){0};
  if (a.route == NULL)
    answer_fail(L, ACCEPT_ORIGIN, "the route %s is gone", lua_tostring(L, ACCEPT_KEY));
  if (!lua_isnil(L, ACCEPT_HEADERS))
    answer_add_headers(L, a.exchange, ACCEPT_HEADERS, ACCEPT_ORIGIN);
  return a;
}

// core.accept_ws(req, route_key, is_bare, data | nil, headers | nil, origin | nil, protocol | nil)
//   -> ws | nil, message, code
// is_bare: nothing looks at the request after this. origin: as in respond, of the headers.
static int accept_ws(lua_State *L) {
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  return accept_websocket(L, &a);
}

// core.accept_sse(req, route_key, is_bare, data | nil, headers | nil, origin | nil)
//   -> stream | nil, message, code | nothing (HEAD: answered, without a session)
static int accept_sse(lua_State *L) {
  struct acceptance a = check_accept(L);
  if (a.exchange == NULL) return vm_fail(L, "closed", "closed");
  return accept_stream(L, &a);
}

static const luaL_Reg functions[] = {
    {"respond", respond},     {"set_route", set_route},   {"ws_check", ws_check},
    {"accept_ws", accept_ws}, {"accept_sse", accept_sse}, {NULL, NULL},
};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_answer = {.name = "answer", .open = open_module};
