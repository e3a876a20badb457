// Accepting a session: the request of a ws or sse route becomes a WebSocket or a stream,
// and its task that of the session.
#ifndef TIDEGATE_SCRIPT_SERVE_ACCEPT_H
#define TIDEGATE_SCRIPT_SERVE_ACCEPT_H

#include <lua.h>
#include <stdbool.h>

struct exchange;
struct route;

// Whether the request, which has not ended, asks for a WebSocket as it should: pushes
// nothing and returns 0, or pushes the status, the text and the headers (a table) of the
// answer and returns 3.
int accept_push_refusal(lua_State *L, struct exchange *exchange);

// What is accepted: the exchange's request, which has not ended, with req at index 1.
struct acceptance {
  struct exchange *exchange;
  const struct route *route;
  bool is_bare;  // nothing looks at the request after this
  int origin;    // index of the function that accepts, or nil: for errors (answer.h)
  int data;      // of what becomes the session's `data`
  int protocol;  // of the subprotocol of a WebSocket, or nil
};

// Each pushes the session and returns 1; or pushes nil, message, code. accept_stream
// answers HEAD, without a session, and returns 0. Raise for headers that are not the
// script's to set.
int accept_websocket(lua_State *L, const struct acceptance *a);
int accept_stream(lua_State *L, const struct acceptance *a);

#endif
