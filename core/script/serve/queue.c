// What waits for a session: see queue.h.
#include "script/serve/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/session.h"
#include "script/serve/session.h"

enum {
  QUEUE_BYTES = 65536,  // of waiting messages; beyond, the socket is not read
  EVENT_OVERHEAD = 64,  // counted per message, so that empty ones are bounded too
};

struct waits *waits_of(struct script_session *session) {
  struct waits *waits = session->waits;
  if (waits != NULL) return waits;
  waits = mem_zalloc(sizeof *waits);
  list_init(&waits->drainers);
  waits->last = &waits->first;
  session->waits = waits;
  return waits;
}

void waits_tidy(struct script_session *session) {
  struct waits *waits = session->waits;
  if (waits == NULL || waits->receiver != NULL || waits->first != NULL) return;
  if (!list_is_empty(&waits->drainers)) return;
  session->waits = NULL;
  free(waits);
}

void waits_free(struct script_session *session) {
  struct queued_event *queued;
  while ((queued = queue_take(session)) != NULL) free(queued);
  free(session->waits);
  session->waits = NULL;
}

struct task *waits_receiver(const struct script_session *session) {
  return session->waits != NULL ? session->waits->receiver : NULL;
}

const struct event *queue_first(const struct script_session *session) {
  if (session->waits == NULL || session->waits->first == NULL) return NULL;
  return &session->waits->first->event;
}

void queue_add(struct script_session *session, const struct event *event) {
  struct waits *waits = waits_of(session);
  struct queued_event *queued = mem_alloc(sizeof *queued + event->text.len);
  queued->next = NULL;
  queued->event = *event;
  if (event->text.len > 0) memcpy(queued->bytes, event->text.ptr, event->text.len);
  queued->event.text.ptr = queued->bytes;
  *waits->last = queued;
  waits->last = &queued->next;
  waits->queued_bytes += event->text.len + EVENT_OVERHEAD;
  if (waits->queued_bytes > QUEUE_BYTES && session->net != NULL)
    session_set_reading(session->net, false);
}

// Takes out the event that *place points at; NULL when that is the end.
static struct queued_event *unlink_event(struct script_session *session,
                                         struct queued_event **place) {
  struct waits *waits = session->waits;
  struct queued_event *queued = *place;
  if (queued == NULL) return NULL;
  *place = queued->next;
  if (waits->last == &queued->next) waits->last = place;
  waits->queued_bytes -= queued->event.text.len + EVENT_OVERHEAD;
  if (waits->queued_bytes <= QUEUE_BYTES / 2 && session->net != NULL) {
    session_set_reading(session->net, true);
  }
  return queued;
}

struct queued_event *queue_take(struct script_session *session) {
  return session->waits != NULL ? unlink_event(session, &session->waits->first) : NULL;
}

struct queued_event *queue_take_message(struct script_session *session) {
  if (session->waits == NULL) return NULL;
  struct queued_event **place = &session->waits->first;
  while (*place != NULL && (*place)->event.type != EVENT_MESSAGE) place = &(*place)->next;
  return unlink_event(session, place);
}
