// Methods of stream: send, close.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "net/conn.h"
#include "net/sse_conn.h"
#include "script/bind/bind.h"
#include "script/serve/session.h"
#include "script/vm/vm.h"

static struct script_session *check_stream(lua_State *L) {
  struct script_session *session = script_session_test(L, 1);
  return session != NULL && !session->is_ws ? session : vm_check_type(L, 1, VM_STREAM);
}

// The table form of an event. `data` may be any value: a string or number as
// it is, a table as JSON.
static struct sse_event check_event(lua_State *L, int index) {
  static const char *const names[] = {"event", "data", "id", "retry", "comment", NULL};
  bind_check_options(L, index, names, "send");
  struct sse_event event = {0};
  event.event = vm_opt_field_slice(L, index, "event", "send");
  event.id = vm_opt_field_slice(L, index, "id", "send");
  event.comment = vm_opt_field_slice(L, index, "comment", "send");
  // Clients wait with timers, which in JavaScript hold no more: they would not wait at all.
  double retry = bind_opt_number_field(L, index, "retry", "send", 0, INT32_MAX, -1);
  if (retry != floor(retry)) luaL_error(L, "send: retry must be a whole number (got %f)", retry);
  event.retry_ms = (int64_t)retry;
  // Stays on the stack: the JSON text must live until it is written.
  int type = lua_getfield(L, index, "data");
  if (type == LUA_TNUMBER) luaL_tolstring(L, -1, NULL);
  if (type != LUA_TNIL) event.data = bind_check_payload(L, lua_gettop(L), "send: data");
  return event;
}

// stream:send(string | {data, event, id, retry, comment}) -> true | nil, message, code
static int stream_send(lua_State *L) {
  struct script_session *session = check_stream(L);
  struct sse_event event = {.retry_ms = -1};
  lua_settop(L, 2);
  if (lua_istable(L, 2))
    event = check_event(L, 2);
  else
    event.data = bind_check_payload(L, 2, "send: event");
  if (session->conn == NULL) return vm_fail(L, "closed", "closed");
  const char *wrong = NULL;
  switch (sse_send(session->conn, &event, &wrong)) {
    case SESSION_OK:
      lua_pushboolean(L, 1);
      return 1;
    case SESSION_FULL:
      script_session_on_full(session);
      return vm_fail(L, "full", "full");
    case SESSION_INVALID:
      return vm_fail(L, wrong, "invalid");
    default:
      return vm_fail(L, "closed", "closed");
  }
}

// stream:close() -> true | nil, "closed", "closed": ends the stream when all is sent
static int stream_close(lua_State *L) {
  struct script_session *session = check_stream(L);
  if (session->conn == NULL) return vm_fail(L, "closed", "closed");
  if (sse_close(session->conn) != SESSION_OK) return vm_fail(L, "closed", "closed");
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {{"send", stream_send}, {"close", stream_close}, {NULL, NULL}};

void bind_open_stream(lua_State *L) { bind_new_session_type(L, VM_STREAM, methods); }
