// Server-Sent Events sessions: see sse_conn.h.
#include "net/sse_conn.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/wire.h"
#include "net/worker.h"

static void tell_closed(struct conn *conn) {
  if (!conn->is_session) return;
  conn->is_session = false;
  hub_reader_close(&conn->reader);
  stats_add(&conn->worker->stats->streams, -1);
  conn->worker->app->closed(conn, 0, (struct slice){0});
}

static void on_data(struct conn *conn, char *data, size_t len) {
  // A client has nothing to say on a stream; pipelined requests are not answered.
  (void)conn, (void)data, (void)len;
}

static void on_eof(struct conn *conn) { conn_close(conn); }

static void on_timeout(struct conn *conn) {
  buf_append_str(conn_out(conn), ":\n\n");
  conn_set_timeout(conn, conn->interval_ms);
}

// No comments while the socket was full: that tells as much as they would.
static void on_rearm(struct conn *conn) { conn_set_timeout(conn, conn->interval_ms); }

static void on_go_on(struct conn *conn) { (void)conn; }

static void on_drained(struct conn *conn) {
  if (conn->is_session) conn->worker->app->drained(conn);
}

static void on_stop(struct conn *conn) { sse_close(conn); }

static void on_close(struct conn *conn) { tell_closed(conn); }

static const struct conn_ops sse_ops = {on_data,    on_eof,  on_timeout,  on_rearm, on_go_on,
                                        on_drained, on_stop, conn_finish, on_close};

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

enum http_send_status sse_accept(struct http_conn *http, const struct sse_options *options,
                                 const struct http_field *fields, size_t count,
                                 struct conn **result) {
  struct conn *conn = http_conn_of(http);
  bool is_head = http_request(http)->method == HTTP_METHOD_HEAD;
  struct http_field *all;
  size_t all_count = merge_fields(fields, count, &all);
  enum http_send_status sent = http_write_upgrade_head(http, 200, all, all_count);
  free(all);
  if (sent != HTTP_SENT) return sent;
  struct buf *out = conn_out(conn);
  http_write_header(out, slice_str("Connection"), slice_str("close"));
  http_write_end(out);

  struct buf dropped = http_conn_hand_over(http);
  buf_free(&dropped);
  conn->ops = &sse_ops;
  if (is_head) {
    conn_finish(conn);
    return HTTP_SENT;
  }
  conn->is_session = true;
  conn->reader.form = WIRE_SSE;
  conn->interval_ms = (uint32_t)options->keepalive_ms;
  conn_set_timeout(conn, conn->interval_ms);
  conn_set_reading(conn, true);
  stats_add(&conn->worker->stats->streams, 1);
  *result = conn;
  // The app hears of the end as of any other, after it has heard of the start.
  if (conn->peer_ended)
    conn_close(conn);  // left while the request waited
  else if (conn->worker->is_stopping)
    conn_finish(conn);
  return HTTP_SENT;
}

enum session_status sse_send(struct conn *conn, const struct sse_event *event, const char **wrong) {
  if (!conn_is_open(conn)) return SESSION_CLOSED;
  size_t waiting = conn_out_bytes(conn);
  size_t bytes = event->data.len + event->comment.len + event->event.len + event->id.len;
  // One event always fits an empty queue; the bound is for what piles up.
  if (waiting > 0 && waiting + bytes > conn->worker->config->send_queue_bytes) {
    stats_add(&conn->worker->stats->sends_full, 1);
    return SESSION_FULL;
  }
  *wrong = sse_write(conn_out(conn), event);
  return *wrong == NULL ? SESSION_OK : SESSION_INVALID;
}

enum session_status sse_close(struct conn *conn) {
  if (!conn_is_open(conn)) return SESSION_CLOSED;
  conn_finish(conn);
  tell_closed(conn);
  return SESSION_OK;
}

void sse_write_start(struct conn *conn, const char *id) {
  buf_printf(conn_out(conn), "id: %s\n\n", id);
}

void sse_write_gap(struct conn *conn, struct slice topic, int64_t missed) {
  struct buf *out = conn_out(conn);
  buf_append_str(out, "event: gap\ndata: {\"topic\":");
  json_append_string(out, topic);
  if (missed == SSE_MISSED_UNKNOWN)
    buf_append_str(out, ",\"missed\":null}\n\n");
  else
    buf_printf(out, ",\"missed\":%lld}\n\n", (long long)missed);
}
