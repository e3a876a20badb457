// Methods of ws: send, recv, messages, ping, close.
#include <lauxlib.h>
#include <lua.h>

#include "base/utf8.h"
#include "net/session.h"
#include "net/ws.h"
#include "proto/ws_close_code.h"
#include "script/bind/session_methods.h"
#include "script/serve/events.h"
#include "script/serve/session.h"
#include "script/serve/wait.h"
#include "script/vm/args.h"

// rule: what SESSION_INVALID means here.
static int push_status(lua_State *L, enum session_status status, const char *rule) {
  switch (status) {
    case SESSION_OK:
      lua_pushboolean(L, 1);
      return 1;
    case SESSION_CLOSED:
      return vm_fail(L, "closed", "closed");
    case SESSION_FULL:
      return vm_fail(L, "full", "full");
    case SESSION_NOT_UTF8:
      return vm_fail(L, "text must be UTF-8", "utf8");
    case SESSION_INVALID:
      return vm_fail(L, rule, "invalid");
  }
  return 0;
}

// ws:send(string | table [, "text" | "binary"]) -> true | nil, message, code
static int ws_send_method(lua_State *L) {
  struct script_session *session = script_session_check_ws(L, 1);
  vm_refuse_while_loading(L);
  enum message_kind kind = args_check_kind(L, 3, "send");
  bool is_binary_json = kind == MESSAGE_BINARY && lua_istable(L, 2);
  struct slice data = args_check_payload(L, 2, "send: data");
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  // As text ws_send checks it; JSON is UTF-8 in any frame (RFC 8259 8.1).
  if (is_binary_json && !utf8_is_valid(data)) return push_status(L, SESSION_NOT_UTF8, NULL);
  enum session_status status = ws_send(session->net, kind, data);
  if (status == SESSION_FULL) events_on_full(session);
  return push_status(L, status, NULL);
}

// ws:recv([seconds]) -> data, kind | nil, "closed" | "timeout", code
static int ws_recv(lua_State *L) {
  struct script_session *session = script_session_check_ws(L, 1);
  return wait_message(L, session, args_opt_seconds(L, 2), events_take_turn);
}

static int next_message(lua_State *L) {
  return wait_message(L, script_session_check_ws(L, 1), -1, events_take_turn);
}

// for data, kind in ws:messages() do ... end: until the connection closes
static int ws_messages(lua_State *L) {
  script_session_check_ws(L, 1);
  lua_pushcfunction(L, next_message);
  lua_pushvalue(L, 1);
  return 2;
}

// ws:ping([data]) -> true | nil, message, code
static int ws_ping_method(lua_State *L) {
  struct script_session *session = script_session_check_ws(L, 1);
  vm_refuse_while_loading(L);
  struct slice data = lua_isnoneornil(L, 2) ? (struct slice){0} : args_check_slice(L, 2);
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  return push_status(L, ws_ping(session->net, data), "a ping holds at most 125 bytes");
}

// ws:close([code [, reason]]) -> true | nil, message, code: starts the close handshake
static int ws_close_method(lua_State *L) {
  struct script_session *session = script_session_check_ws(L, 1);
  vm_refuse_while_loading(L);
  lua_Integer code = luaL_optinteger(L, 2, WS_CLOSE_NORMAL);
  struct slice reason = lua_isnoneornil(L, 3) ? (struct slice){0} : args_check_slice(L, 3);
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  if (!ws_close_code_may_be_sent(code))
    return vm_fail(L, "a close code must be one that a server may send", "invalid");
  return push_status(L, ws_close(session->net, (int)code, reason),
                     "a reason is UTF-8 of at most 123 bytes");
}

const luaL_Reg session_ws_methods[] = {
    {"send", ws_send_method}, {"recv", ws_recv},          {"messages", ws_messages},
    {"ping", ws_ping_method}, {"close", ws_close_method}, {NULL, NULL},
};
