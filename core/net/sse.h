// Event streams: Server-Sent Events (WHATWG HTML section 9.2). The response is
// ended by closing, not chunked: so the bytes of an event are the same for every
// subscriber.
#ifndef TIDEGATE_NET_SSE_H
#define TIDEGATE_NET_SSE_H

#include "net/app.h"
#include "net/session.h"
#include "proto/sse.h"

struct sse_options {
  uint64_t keepalive_ms;  // 0: none
};

// Answers a request with an event stream; otherwise as ws_accept. What says how
// a stream is to be treated (Content-Type, Cache-Control, X-Accel-Buffering) is
// left out of `fields`. To HEAD only the head is sent: there is no session, and
// *session stays as it is.
enum http_send_status sse_accept(struct http_call *call, const struct sse_options *options,
                                 const struct http_field *fields, size_t count,
                                 struct session **session);

// Queues an event. SESSION_OK, _CLOSED, _FULL, or _INVALID with *wrong (static
// text) telling which field.
enum session_status sse_send(struct session *session, const struct sse_event *event,
                             const char **wrong);

// Ends the stream once what is queued has been sent; app->closed is called at once.
enum session_status sse_close(struct session *session);
// The same, but app->closed is called when the connection is gone.
void sse_finish(struct session *session);

// Writes a block that only sets the client's last event id: where the stream
// begins, so that a client that is cut off before its first message can resume.
void sse_write_start(struct session *session, const char *id);

// Writes the `event: gap` notice of a subscription that missed messages:
// data {"topic": "...", "missed": n}, null when nobody can tell how many.
enum { SSE_MISSED_UNKNOWN = -1 };
void sse_write_gap(struct session *session, struct slice topic, int64_t missed);

#endif
