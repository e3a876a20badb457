// Tasks that wait for a session: in recv for its next message (one task), in
// drain until its direct output has gone to the socket (any number). They are
// hooked to the session while they wait, and unhooked when they are woken, time
// out or are killed.
#ifndef TIDEGATE_SCRIPT_SERVE_WAIT_H
#define TIDEGATE_SCRIPT_SERVE_WAIT_H

#include <lua.h>

#include "base/list.h"
#include "base/message.h"
#include "base/slice.h"

struct session;
struct wheel_timer;
struct script_session;

// For bindings, which return what these return: results, or a wait. Raise where
// a task cannot wait.
//   recv -> data, kind | nil, "closed" | "timeout", code
//   drain -> true | nil, "closed" | "timeout", code
// A task that has received for its share of the turn waits for the next also when there is a
// message: take_turn (queue_put_off) gives it that.
int wait_message(lua_State *L, struct script_session *session, double seconds,
                 void (*take_turn)(struct wheel_timer *turn));
int wait_drained(lua_State *L, struct script_session *session, double seconds);

// Wakes the task in recv with the message; false when there is none, or other messages come first.
// What a woken task does may be the end of the session.
bool wait_wake_receiver(struct script_session *session, enum message_kind kind, struct slice data);

// Wakes the task in recv, whose turn has come, with the message that waits longest.
void wait_take_turn(struct script_session *session);

// Wakes the tasks in the list, which those in drain were moved to: with true as
// long as the session's end has not been asked for, with "closed" from then on or
// when net is NULL.
void wait_wake_drainers(struct list *waiting, const struct session *net);

// Wakes all with "closed", but for a task in recv whose message waits for its turn. The caller
// keeps the session alive meanwhile.
void wait_wake_closed(struct script_session *session);

#endif
