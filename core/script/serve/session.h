// A session as scripts see it: the Lua object itself and its route. The memory is the
// userdata's: the registry keeps it while the session lives, scripts perhaps for longer.
// Its user value is the table of its fields (`data` etc.), or nil as long as it has none.
// What the framework keeps there for itself has the address of one of the keys below, which no
// script can name: every other name is a script's own.
// What happens to it comes in events.c.
#ifndef TIDEGATE_SCRIPT_SERVE_SESSION_H
#define TIDEGATE_SCRIPT_SERVE_SESSION_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "script/reload/route.h"
#include "script/vm/box.h"
#include "script/vm/vm.h"

struct session;
struct task;
struct queue;

// Every byte counts: there is one for each session of the server, which is called `net` in
// this folder.
struct script_session {
  struct session *net;  // NULL before it begins and once it is over
  const struct route *route;
  struct task *task;    // the handler that runs or waits now
  struct queue *queue;  // NULL while nothing waits
  uint64_t id;          // of the connection
  int ref;              // of the Lua object, until the session is over
  bool is_over : 1;
  bool is_closed : 1;   // the close event is in the queue or done
  bool is_serving : 1;  // events are being given to handlers, further up the stack
  bool is_ws : 1;
  bool is_ending : 1;  // we are closing it: messages are dropped
  bool runs_task : 1;  // `task` is the route's task function, not a callback
  bool was_full : 1;   // a send was refused: the drain event is due
};

// Of WebSockets and of streams; bind/session.c gives them their methods.
extern struct box_type script_session_ws_type, script_session_stream_type;

// The session at index `arg`, a WebSocket or a stream; NULL when it is none.
struct script_session *script_session_test(lua_State *L, int arg);
// The same, but raises for anything else.
struct script_session *script_session_check(lua_State *L, int arg);
// One of the two only.
static inline struct script_session *script_session_check_ws(lua_State *L, int arg) {
  struct script_session *session = script_session_test(L, arg);
  return session != NULL && session->is_ws ? session : box_check(L, arg, &script_session_ws_type);
}

static inline struct script_session *script_session_check_stream(lua_State *L, int arg) {
  struct script_session *session = script_session_test(L, arg);
  if (session != NULL && !session->is_ws) return session;
  return box_check(L, arg, &script_session_stream_type);
}

// The server's session, or NULL when it is over or its end has been asked for: fail
// with "closed".
struct session *script_session_net(const struct script_session *session);
// That of the session at `arg`; raises when this is none.
struct session *script_session_check_net(lua_State *L, int arg);

struct script_session_keys {
  char raw_query;      // the query of its request, as text, for `query`
  char last_event_id;  // what the client of a stream saw last: an id
  char resumed;        // a set of topics that were joined from there
};
extern const struct script_session_keys script_session_keys;

// Pushes the object of a session to be; the table at `fields` (0: none) becomes
// its fields. May raise; so it comes before the session is accepted. Then
// events_start or script_session_abandon.
struct script_session *script_session_push(lua_State *L, const struct route *route, int fields);
void script_session_abandon(struct vm *vm, struct script_session *session);

// Calls fn for each session; fn may end it.
void script_session_each(struct vm *vm,
                         void (*fn)(struct vm *vm, struct script_session *session, void *arg),
                         void *arg);

#endif
