// A session as scripts see it: the Lua object (a box around the connection),
// its route, and the events that wait while a handler does. Events of one
// session are delivered one at a time and in order; beyond a bound of waiting
// messages the socket is not read.
#ifndef TIDEGATE_SCRIPT_SESSION_H
#define TIDEGATE_SCRIPT_SESSION_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/message.h"
#include "base/slice.h"
#include "script/generation.h"
#include "script/vm.h"

struct conn;
struct task;
struct queued_event;

struct session {
  struct list link;  // in vm->sessions
  struct vm *vm;
  struct conn *conn;  // NULL once the connection is gone
  const struct route *route;
  struct task *task;      // the handler that runs or waits now
  struct task *receiver;  // the task that waits in recv
  struct list drainers;   // tasks that wait in drain, by their wait_link
  struct queued_event *first, **last;
  size_t queued_bytes;
  uint64_t id;     // the connection's
  int box_ref;     // the Lua object, until the session is over
  bool is_closed;  // the close event is in the queue or done
  bool is_pumping;
  bool is_ws;
  bool is_ending;  // we are closing it: messages are dropped
  bool runs_task;  // `task` is the route's task function, not a callback
  bool was_full;   // a send was refused: the drain event is due
};

// What the Lua object holds. session is NULL once the session is over.
struct session_box {
  struct session *session;
};

// The box at index `arg`, of a WebSocket or a stream; NULL otherwise.
struct session_box *session_test(lua_State *L, int arg);
// The same, but raises otherwise.
struct session_box *session_check(lua_State *L, int arg);
// The open connection of the box at `arg`, or NULL: fail with "closed".
struct conn *session_check_conn(lua_State *L, int arg);

// Pushes the Lua object of a session to be, with the table at `context` as its
// fields (`data` etc.), and returns its reference. May raise; so it comes before
// the connection is accepted.
int session_push_box(lua_State *L, const struct route *route, int context);
// Makes the session of a connection just accepted, for the object on top of the
// stack. Cannot fail. The running task becomes its handler.
void session_start(lua_State *L, struct conn *conn, const struct route *route, int box_ref);

// Events, from the server.
void session_on_message(struct conn *conn, enum message_kind kind, struct slice data);
void session_on_gap(struct conn *conn, struct slice topic, uint64_t missed);
void session_on_drained(struct conn *conn);
void session_on_closed(struct conn *conn, int code, struct slice reason);

// The queue of direct output refused a send: the drain event is due, or, by
// `on_full` of the route, the end. The session may be gone then.
void session_on_full(struct session *session);

// Reload: the route's new incarnation, or NULL: the session is closed.
void session_set_route(struct session *session, const struct route *route);

// Pops the next waiting message: pushes data and kind. False when none waits.
bool session_take_message(lua_State *L, struct session *session);

// Frees what is left when the VM ends.
void session_free_all(struct vm *vm);

#endif
