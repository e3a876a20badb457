// What waits for a session: see queue.h.
#include "script/serve/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "script/serve/session.h"

enum {
  QUEUE_BYTES = 65536,  // of waiting messages; beyond, the socket is not read
  EVENT_OVERHEAD = 64,  // counted per message, so that empty ones are bounded too
};

struct session_waits *session_waits(struct session *session) {
  struct session_waits *waits = session->waits;
  if (waits != NULL) return waits;
  waits = mem_zalloc(sizeof *waits);
  list_init(&waits->drainers);
  waits->last = &waits->first;
  session->waits = waits;
  return waits;
}

void session_waits_tidy(struct session *session) {
  struct session_waits *waits = session->waits;
  if (waits == NULL || waits->receiver != NULL || waits->first != NULL) return;
  if (!list_is_empty(&waits->drainers)) return;
  session->waits = NULL;
  free(waits);
}

void session_waits_free(struct session *session) {
  struct queued_event *queued;
  while ((queued = session_dequeue(session)) != NULL) free(queued);
  free(session->waits);
  session->waits = NULL;
}

struct task *session_receiver(const struct session *session) {
  return session->waits != NULL ? session->waits->receiver : NULL;
}

const struct event *session_first_event(const struct session *session) {
  if (session->waits == NULL || session->waits->first == NULL) return NULL;
  return &session->waits->first->event;
}

void session_enqueue(struct session *session, const struct event *event) {
  struct session_waits *waits = session_waits(session);
  struct queued_event *queued = mem_alloc(sizeof *queued + event->text.len);
  queued->next = NULL;
  queued->event = *event;
  if (event->text.len > 0) memcpy(queued->bytes, event->text.ptr, event->text.len);
  queued->event.text.ptr = queued->bytes;
  *waits->last = queued;
  waits->last = &queued->next;
  waits->queued_bytes += event->text.len + EVENT_OVERHEAD;
  if (waits->queued_bytes > QUEUE_BYTES && session->conn != NULL)
    conn_set_reading(session->conn, false);
}

// Takes out the event that *place points at; NULL when that is the end.
static struct queued_event *unlink_event(struct session *session, struct queued_event **place) {
  struct session_waits *waits = session->waits;
  struct queued_event *queued = *place;
  if (queued == NULL) return NULL;
  *place = queued->next;
  if (waits->last == &queued->next) waits->last = place;
  waits->queued_bytes -= queued->event.text.len + EVENT_OVERHEAD;
  if (waits->queued_bytes <= QUEUE_BYTES / 2 && session->conn != NULL) {
    conn_set_reading(session->conn, true);
  }
  return queued;
}

struct queued_event *session_dequeue(struct session *session) {
  return session->waits != NULL ? unlink_event(session, &session->waits->first) : NULL;
}

struct queued_event *session_dequeue_message(struct session *session) {
  if (session->waits == NULL) return NULL;
  struct queued_event **place = &session->waits->first;
  while (*place != NULL && (*place)->event.type != EVENT_MESSAGE) place = &(*place)->next;
  return unlink_event(session, place);
}
