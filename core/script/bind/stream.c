// Methods of stream: send, close.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>

#include "net/session.h"
#include "net/sse.h"
#include "script/bind/session_methods.h"
#include "script/serve/events.h"
#include "script/serve/session.h"
#include "script/vm/args.h"

// The table form of an event. `data` may be any value: a string or number as
// it is, a table as JSON.
static struct sse_event check_event(lua_State *L, int index) {
  static const char *const names[] = {"event", "data", "id", "retry", "comment", NULL};
  args_check_options(L, index, names, "send");
  struct sse_event event = {0};
  event.event = args_opt_slice_field(L, index, "event", "send");
  event.id = args_opt_slice_field(L, index, "id", "send");
  event.comment = args_opt_slice_field(L, index, "comment", "send");
  // Clients wait with timers, which in JavaScript hold no more: they would not wait at all.
  double retry = args_opt_number_field(L, index, "retry", "send", 0, INT32_MAX, -1);
  if (retry != floor(retry)) luaL_error(L, "send: retry must be a whole number (got %f)", retry);
  event.retry_ms = (int64_t)retry;
  // Stays on the stack: the JSON text must live until it is written.
  int type = lua_getfield(L, index, "data");
  if (type == LUA_TNUMBER) luaL_tolstring(L, -1, NULL);
  if (type != LUA_TNIL) event.data = args_check_payload(L, lua_gettop(L), "send: data");
  return event;
}

// stream:send(string | {data, event, id, retry, comment}) -> true | nil, message, code
static int stream_send(lua_State *L) {
  struct script_session *session = script_session_check_stream(L, 1);
  struct sse_event event = {.retry_ms = -1};
  lua_settop(L, 2);
  if (lua_istable(L, 2))
    event = check_event(L, 2);
  else
    event.data = args_check_payload(L, 2, "send: event");
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  const char *wrong = NULL;
  switch (sse_send(session->net, &event, &wrong)) {
    case SESSION_OK:
      lua_pushboolean(L, 1);
      return 1;
    case SESSION_FULL:
      events_on_full(session);
      return vm_fail(L, "full", "full");
    case SESSION_INVALID:
      return vm_fail(L, wrong, "invalid");
    default:
      return vm_fail(L, "closed", "closed");
  }
}

// stream:close() -> true | nil, "closed", "closed": ends the stream when all is sent
static int stream_close(lua_State *L) {
  struct script_session *session = script_session_check_stream(L, 1);
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  if (sse_close(session->net) != SESSION_OK) return vm_fail(L, "closed", "closed");
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg session_stream_methods[] = {
    {"send", stream_send}, {"close", stream_close}, {NULL, NULL}};
