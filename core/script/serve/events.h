// The events of sessions: from the server to handlers, one at a time and in order. While
// a handler waits, events wait in the session's queue.
#ifndef TIDEGATE_SCRIPT_SERVE_EVENTS_H
#define TIDEGATE_SCRIPT_SERVE_EVENTS_H

#include <stdint.h>

#include "base/message.h"
#include "base/slice.h"
#include "script/vm/module.h"

struct session;
struct wheel_timer;
struct script_session;

// Reload: sessions move to the new incarnations of their routes, those whose route is
// gone are closed. The end of the VM: ends what is left.
extern struct script_module events_module;

// Makes it the Lua side of a session just accepted. Cannot fail. The running
// task becomes its handler.
void events_start(struct vm *vm, struct script_session *session, struct session *net);

// From the server.
void events_on_message(struct session *net, enum message_kind kind, struct slice data);
void events_on_gap(struct session *net, struct slice topic, uint64_t missed);
void events_on_drained(struct session *net);
void events_on_closed(struct session *net, int code, struct slice reason);

// Goes on with a session whose turn has come: see queue_put_off.
void events_take_turn(struct wheel_timer *turn);

// The queue of direct output refused a send: the drain event is due, or, by
// `on_full` of the route, the end. The session may be gone then.
void events_on_full(struct script_session *session);

#endif
