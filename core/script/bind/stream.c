// Methods of stream: send, close.
#include <lauxlib.h>
#include <lua.h>

#include "net/session.h"
#include "net/sse.h"
#include "script/bind/options.h"
#include "script/bind/session_methods.h"
#include "script/serve/events.h"
#include "script/serve/session.h"
#include "script/vm/args.h"

// A string or number as it is, a table as JSON, which stays on the stack until it is written.
static void read_data(lua_State *L, const char *what, void *out) {
  (void)what;
  struct sse_event *event = out;
  if (lua_type(L, -1) == LUA_TNUMBER) luaL_tolstring(L, -1, NULL);
  event->data = args_check_payload(L, lua_gettop(L), "send: data");
}

static const struct option event_rows[] = {
    {.name = "data",
     .type = OPTION_ANY,
     .read = read_data,
     .luals = "string|number|table",
     .help = "a string or number, or a table sent as JSON"},
    {.name = "event",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct sse_event, event),
     .help = "its name"},
    {.name = "id",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct sse_event, id),
     .help = "what the client says it saw last when it comes back"},
    // Clients wait with timers, which in JavaScript hold no more: they would not wait at all.
    {.name = "retry",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct sse_event, retry_ms),
     .most = INT32_MAX,
     .otherwise = -1,
     .fallback = "",
     .help = "whole milliseconds before the client comes back, at most 2147483647"},
    {.name = "comment",
     .type = OPTION_TEXT,
     OPTION_FIELD(struct sse_event, comment),
     .help = "text that clients pass over"},
};
const struct option_table event_options = {
    .name = "event", OPTION_ROWS(event_rows), .has_defaults = true};

// stream:send(string | {data, event, id, retry, comment}) -> true | nil, message, code
static int stream_send(lua_State *L) {
  struct script_session *session = script_session_check_stream(L, 1);
  vm_refuse_while_loading(L);
  struct sse_event event = {.retry_ms = -1};
  lua_settop(L, 2);
  if (lua_istable(L, 2))
    options_read(L, 2, &event_options, "send", &event);
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
  vm_refuse_while_loading(L);
  if (session->net == NULL) return vm_fail(L, "closed", "closed");
  if (sse_close(session->net) != SESSION_OK) return vm_fail(L, "closed", "closed");
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg session_stream_methods[] = {
    {"send", stream_send}, {"close", stream_close}, {NULL, NULL}};
