// What waits for a session: events while its handler waits, and the tasks in
// recv and drain. Most sessions have none of it nearly always, so it is a
// struct of its own that exists only while something waits.
#ifndef TIDEGATE_SCRIPT_SERVE_QUEUE_H
#define TIDEGATE_SCRIPT_SERVE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/message.h"
#include "base/slice.h"
#include "base/wheel.h"

struct script_session;
struct task;
struct vm;

enum event_type { EVENT_MESSAGE, EVENT_GAP, EVENT_DRAIN, EVENT_CLOSE };

struct event {
  enum event_type type;
  enum message_kind kind;  // of a message
  uint64_t number;         // missed messages, or the close code
  struct slice text;       // payload, topic or reason
};

struct queued_event {
  struct queued_event *next;
  struct event event;
  char bytes[];
};

struct queue {
  // Set while what waits has to wait for the next turn, because it has used its share of one.
  struct wheel_timer turn;
  struct vm *vm;                   // from queue_add on
  struct script_session *session;  // from queue_put_off on
  struct task *receiver;           // the task that waits in recv
  struct list drainers;            // tasks that wait in drain, by their wait_link
  struct queued_event *first, **last;
  size_t queued_bytes;
};

// The session's waits, made when there are none.
struct queue *queue_of(struct script_session *session);
// Whether what waits has to wait until others had their turns: then take_turn is called, with
// a new share. As of the last reading of the worker's clock.
bool queue_is_share_over(const struct vm *vm);
void queue_put_off(struct vm *vm, struct script_session *session,
                   void (*take_turn)(struct wheel_timer *turn));
bool queue_waits_for_turn(const struct script_session *session);
// Lets go of the waits when nothing waits.
void queue_tidy(struct script_session *session);
void queue_free(struct script_session *session);

struct task *queue_receiver(const struct script_session *session);  // NULL: none

// The event that waits longest, NULL when none does.
const struct event *queue_first(const struct script_session *session);

// Adds a copy of the event. Beyond a bound of waiting bytes, of the session or of all that
// the worker's clients have sent (worker_hold), the socket is not read.
void queue_add(struct vm *vm, struct script_session *session, const struct event *event);

// The message among them that waits longest, NULL when none does.
const struct event *queue_first_message(const struct script_session *session);

// Takes out what queue_first, and what queue_first_message gave. The caller frees it;
// NULL when there is none.
struct queued_event *queue_take(struct script_session *session);
struct queued_event *queue_take_message(struct script_session *session);

#endif
