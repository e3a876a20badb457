// What waits for a session: see queue.h.
#include "script/serve/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/session.h"
#include "net/worker.h"
#include "script/serve/session.h"

enum {
  QUEUE_BYTES = 65536,  // of waiting messages; beyond, the socket is not read
  EVENT_OVERHEAD = 64,  // counted per message, so that empty ones are bounded too
};

struct queue *queue_of(struct script_session *session) {
  struct queue *queue = session->queue;
  if (queue != NULL) return queue;
  queue = mem_zalloc(sizeof *queue);
  list_init(&queue->turn.link);
  list_init(&queue->drainers);
  queue->last = &queue->first;
  session->queue = queue;
  return queue;
}

void queue_tidy(struct script_session *session) {
  struct queue *queue = session->queue;
  if (queue == NULL || queue->receiver != NULL || queue->first != NULL) return;
  if (!list_is_empty(&queue->drainers)) return;
  session->queue = NULL;
  wheel_cancel(&queue->turn);
  free(queue);
}

void queue_free(struct script_session *session) {
  struct queued_event *queued;
  while ((queued = queue_take(session)) != NULL) free(queued);
  if (session->queue != NULL) wheel_cancel(&session->queue->turn);
  free(session->queue);
  session->queue = NULL;
}

bool queue_is_share_over(const struct vm *vm) {
  return turn_clock_is_share_over(&vm->worker->clock);
}

void queue_put_off(struct vm *vm, struct script_session *session,
                   void (*take_turn)(struct wheel_timer *turn)) {
  struct queue *queue = queue_of(session);
  queue->session = session;
  metric_add(&vm->worker->stats->put_off, 1);
  queue->turn.fire = take_turn;
  wheel_timer_set_kind(&queue->turn, WORK_PUT_OFF);
  wheel_set_due(&vm->worker->wheel, &queue->turn);
}

bool queue_waits_for_turn(const struct script_session *session) {
  return session->queue != NULL && wheel_timer_is_set(&session->queue->turn);
}

struct task *queue_receiver(const struct script_session *session) {
  return session->queue != NULL ? session->queue->receiver : NULL;
}

const struct event *queue_first(const struct script_session *session) {
  if (session->queue == NULL || session->queue->first == NULL) return NULL;
  return &session->queue->first->event;
}

void queue_add(struct vm *vm, struct script_session *session, const struct event *event) {
  struct queue *queue = queue_of(session);
  struct queued_event *queued = mem_alloc(sizeof *queued + event->text.len);
  queued->next = NULL;
  queued->event = *event;
  if (event->text.len > 0) memcpy(queued->bytes, event->text.ptr, event->text.len);
  queued->event.text.ptr = queued->bytes;
  *queue->last = queued;
  queue->last = &queued->next;
  queue->vm = vm;
  size_t bytes = queue->queued_bytes + event->text.len + EVENT_OVERHEAD;
  bool has_room = worker_hold(vm->worker, &queue->queued_bytes, bytes) && bytes <= QUEUE_BYTES;
  if (!has_room && session->net != NULL) session_set_reading(session->net, false);
}

// Takes out the event that *place points at; NULL when that is the end.
static struct queued_event *unlink_event(struct script_session *session,
                                         struct queued_event **place) {
  struct queue *queue = session->queue;
  struct queued_event *queued = *place;
  if (queued == NULL) return NULL;
  *place = queued->next;
  if (queue->last == &queued->next) queue->last = place;
  worker_hold(queue->vm->worker, &queue->queued_bytes,
              queue->queued_bytes - queued->event.text.len - EVENT_OVERHEAD);
  if (queue->queued_bytes <= QUEUE_BYTES / 2 && session->net != NULL) {
    session_set_reading(session->net, true);
  }
  return queued;
}

struct queued_event *queue_take(struct script_session *session) {
  return session->queue != NULL ? unlink_event(session, &session->queue->first) : NULL;
}

static struct queued_event **place_of_message(struct queue *queue) {
  struct queued_event **place = &queue->first;
  while (*place != NULL && (*place)->event.type != EVENT_MESSAGE) place = &(*place)->next;
  return place;
}

const struct event *queue_first_message(const struct script_session *session) {
  if (session->queue == NULL) return NULL;
  const struct queued_event *queued = *place_of_message(session->queue);
  return queued != NULL ? &queued->event : NULL;
}

struct queued_event *queue_take_message(struct script_session *session) {
  if (session->queue == NULL) return NULL;
  return unlink_event(session, place_of_message(session->queue));
}
