// Event streams: see sse.h.
#include "net/sse.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/wire.h"
#include "net/worker.h"

static void end(struct session *session) { session_end(session, 0, (struct slice){0}); }

static void on_data(struct conn *conn, char *data, size_t len) {
  // A client has nothing to say on a stream; pipelined requests are not answered.
  (void)conn, (void)data, (void)len;
}

static void on_eof(struct conn *conn) { conn_close(conn); }

static void on_timeout(struct conn *conn) {
  buf_append_str(conn_out(conn), ":\n\n");
  conn_set_timeout(conn, session_of(conn)->interval_ms);
}

static void on_go_on(struct conn *conn) { (void)conn; }

static void on_stop(struct conn *conn) { sse_close(session_of(conn)); }

static void on_close(struct conn *conn) { end(session_of(conn)); }

static void write_gap(struct session *session, struct slice topic, uint64_t missed) {
  sse_write_gap(session, topic, (int64_t)missed);
}

static const struct session_ops sse_ops = {
    // No comments while the socket was full: that tells as much as they would.
    .conn = {.data = on_data,
             .eof = on_eof,
             .timeout = on_timeout,
             .stalled = session_on_stalled,
             .rearm = session_on_rearm,
             .written = session_on_written,
             .go_on = on_go_on,
             .drained = session_on_drained,
             .stop = on_stop,
             .close = on_close},
    .open_count = offsetof(struct stats, streams),
    .gap = write_gap,
    .lagged = sse_finish,
};

// The head of every stream. Nothing on the way may keep it, hold it back or
// compress it, which would hold it back, too (RFC 9110 7.7).
static const struct {
  const char *name, *value;
} stream_fields[] = {
    {"Content-Type", "text/event-stream"},
    {"Cache-Control", "no-cache, no-store, no-transform"},
    {"X-Accel-Buffering", "no"},
};
enum { STREAM_FIELDS = sizeof stream_fields / sizeof *stream_fields };

// Fills *all (freed by the caller) with the stream's fields and those of `fields`
// that have other names; returns how many.
static size_t merge_fields(const struct http_field *fields, size_t count, struct http_field **all) {
  struct http_field *merged = mem_alloc((STREAM_FIELDS + count) * sizeof *merged);
  for (size_t i = 0; i < STREAM_FIELDS; i++)
    merged[i] =
        (struct http_field){slice_str(stream_fields[i].name), slice_str(stream_fields[i].value)};
  size_t merged_count = STREAM_FIELDS;
  for (size_t i = 0; i < count; i++) {
    bool is_own = false;
    for (size_t own = 0; own < STREAM_FIELDS; own++)
      is_own = is_own || slice_equal_nocase(fields[i].name, merged[own].name);
    if (!is_own) merged[merged_count++] = fields[i];
  }
  *all = merged;
  return merged_count;
}

enum http_send_status sse_accept(struct http_call *call, const struct sse_options *options,
                                 const struct http_field *fields, size_t count,
                                 struct session **result) {
  bool is_head = call->request->method == HTTP_METHOD_HEAD;
  struct worker *worker = call->worker;
  struct http_field *all, own = {slice_str("Connection"), slice_str("close")};
  size_t all_count = merge_fields(fields, count, &all);
  struct http_acceptance acceptance = {200, all, all_count, &own, 1};
  struct session *session;
  struct buf dropped = {0};
  enum http_send_status sent = http_accept(call, &acceptance, &session, &dropped);
  free(all);
  if (sent != HTTP_SENT) return sent;
  buf_free(&dropped);
  if (is_head) {
    session->conn.ops = &sse_ops.conn;  // never begun: the app hears nothing of it
    conn_finish(&session->conn);
    return HTTP_SENT;
  }
  session_begin(session, &sse_ops, WIRE_SSE, options->keepalive_ms);
  *result = session;
  // The app hears of the end as of any other, after it has heard of the start.
  if (conn_has_ended(&session->conn))
    conn_close(&session->conn);  // left while the request waited
  else if (worker->is_stopping)
    conn_finish(&session->conn);
  return HTTP_SENT;
}

enum session_status sse_send(struct session *session, const struct sse_event *event,
                             const char **wrong) {
  if (!session_is_live(session)) return SESSION_CLOSED;
  size_t bytes = event->data.len + event->comment.len + event->event.len + event->id.len;
  if (!session_has_room(session, bytes)) return session_refuse_full(session);
  *wrong = sse_write(session_out(session), event);
  return *wrong == NULL ? SESSION_OK : SESSION_INVALID;
}

enum session_status sse_close(struct session *session) {
  if (!session_is_live(session)) return SESSION_CLOSED;
  conn_finish(&session->conn);
  end(session);
  return SESSION_OK;
}

void sse_finish(struct session *session) { conn_finish(&session->conn); }

void sse_write_start(struct session *session, const char *id) {
  buf_printf(session_out(session), "id: %s\n\n", id);
}

void sse_write_gap(struct session *session, struct slice topic, int64_t missed) {
  struct buf *out = session_out(session);
  buf_append_str(out, "event: gap\ndata: {\"topic\":");
  json_append_string(out, topic);
  if (missed == SSE_MISSED_UNKNOWN)
    buf_append_str(out, ",\"missed\":null}\n\n");
  else
    buf_printf(out, ",\"missed\":%lld}\n\n", (long long)missed);
}
