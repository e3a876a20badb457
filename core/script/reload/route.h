// Routes of WebSockets and streams: what a session finds its handlers and options by.
// Each generation reads its own from what the framework collected.
#ifndef TIDEGATE_SCRIPT_RELOAD_ROUTE_H
#define TIDEGATE_SCRIPT_RELOAD_ROUTE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ws.h"
#include "script/vm/options.h"
#include "script/vm/vm.h"

struct route {
  char *key;  // "ws /chat/{room}": the same in every generation
  bool is_ws;
  bool has_envelope;
  enum ws_compress compress;
  int task_ref;  // function(conn): one task per session; LUA_NOREF for a table of callbacks
  int message_ref, close_ref, gap_ref, drain_ref;  // LUA_NOREF: none
  uint32_t heartbeat_ms, keepalive_ms, max_message_bytes;
  bool closes_when_full;  // a send at the bound of the queue ends the session
};

// What gate.ws and gate.sse take: an option is a row in route.c and a field above. `compress`
// has options of its own.
extern const struct option_table session_options, compress_options;

// A route without a key, without handlers, with the defaults of all options.
void route_init(lua_State *L, struct route *route);

struct routes {
  struct route *all;
  size_t count;
};

// Reads the list of tables on top of the stack. May raise; `out` (zeroed before) is
// complete enough then to be freed.
void routes_read(lua_State *L, struct routes *out);
void routes_free(struct vm *vm, struct routes *routes);

// The route with that key, NULL when there is none.
const struct route *routes_find(const struct routes *routes, const char *key);
// Its place among them, or -1: it is of another generation.
ptrdiff_t routes_index(const struct routes *routes, const struct route *route);

#endif
