// WebSocket sessions: see ws_conn.h. The receiving rules are proto/ws_parse;
// here are the answers to its events, the heartbeat and the close handshake.
#include "net/ws_conn.h"

#include "base/log.h"
#include "base/utf8.h"
#include "net/conn.h"
#include "net/wire.h"
#include "net/worker.h"
#include "net/ws_extra.h"
#include "net/ws_unfinished.h"
#include "proto/ws_close_code.h"
#include "proto/ws_message.h"
#include "proto/ws_parse.h"

enum {
  // Of messages in one go, as much as a read brings of them when they are not compressed.
  GO_BYTES = WORKER_READ_BYTES,
  CLOSE_WAIT_MS = 5000,  // for the peer's half of the close handshake
  MISSED_PONGS = 2,
};

static void tell_closed(struct conn *conn, int code, struct slice reason) {
  if (!conn->is_session) return;
  conn->is_session = false;
  hub_reader_close(&conn->reader);
  stats_add(&conn->worker->stats->websockets, -1);
  conn->worker->app->closed(conn, code, reason);
}

static void send_close(struct conn *conn, int code, struct slice reason) {
  if (conn->close_sent) return;
  conn->close_sent = true;
  conn->close_code = (uint16_t)code;
  ws_close_write(conn_out(conn), code, reason);
}

// ---- the bound of the output ---------------------------------------------

// One message always fits an empty queue; the bound is for what piles up.
static bool has_room(const struct conn *conn, size_t bytes) {
  size_t waiting = conn_out_bytes(conn);
  return waiting == 0 || waiting + bytes <= conn->worker->config->send_queue_bytes;
}

// Every ping is answered while there is room. Beyond, the newest one is: its
// pong takes the place of the one that is last in the queue (RFC 6455 5.5.3
// allows that), so that a peer which pings and does not read is answered
// rightly, and costs one pong. That one has not begun to go out: in front of it
// is what fills the queue.
static void send_pong(struct conn *conn, struct slice data) {
  size_t replaced = has_room(conn, data.len) ? 0 : conn->tail_pong;
  struct buf *out = conn_out(conn);
  buf_chop(out, replaced);
  size_t before = buf_len(out);
  ws_frame_write(out, WS_PONG, data);
  conn->tail_pong = (buf_len(out) - before) & 0x7F;  // 127 at most: 2 + 125
}

// ---- events of the session -----------------------------------------------

// The peer's close frame: answer it, or, when it is the answer, be done.
static void on_peer_close(struct conn *conn, int code, struct slice reason) {
  conn->close_received = true;
  // An empty close is answered by an empty one.
  send_close(conn, code == WS_CLOSE_NO_STATUS ? 0 : code, (struct slice){0});
  conn_set_reading(conn, true);
  tell_closed(conn, code, reason);
  conn_finish(conn);
}

void ws_fail(struct conn *conn, int code, const char *reason) {
  log_info("WebSocket %llu failed, %d: %s", (unsigned long long)conn_id(conn), code, reason);
  ws_unfinished_forget(conn);
  ws_parser_free(&conn->proto.ws);
  send_close(conn, code, slice_str(reason));
  tell_closed(conn, code, slice_str(reason));
  conn_finish(conn);
}

static void handle_event(struct conn *conn, enum ws_event event, const struct ws_result *result) {
  switch (event) {
    case WS_EVENT_MORE:
      break;
    case WS_EVENT_MESSAGE:
      // After our close frame the peer's messages are of no interest (RFC 6455 1.4);
      // its pings are still owed their pongs (5.5.2).
      if (conn->close_sent) break;
      conn->worker->app->message(conn, result->kind, result->data);
      break;
    case WS_EVENT_PING:
      send_pong(conn, result->data);
      break;
    case WS_EVENT_PONG:
      break;  // any input counts as a sign of life
    case WS_EVENT_CLOSE:
      on_peer_close(conn, result->code, result->data);
      break;
    case WS_EVENT_FAILED:
      ws_fail(conn, result->code, result->reason);
      break;
  }
}

// Feeds the session; returns how much of the input it took. That is all of it, but where a peer
// sends little that is large (compressed), or where the script does not want to hear more.
static size_t feed(struct conn *conn, char *data, size_t len) {
  unsigned count = 0;
  size_t at = 0, bytes = 0;
  // Until MORE, also without input: that call releases what a message in
  // pieces was collected in.
  while (conn_is_open(conn)) {
    size_t consumed = 0;
    struct ws_result result = {0};
    enum ws_event event = ws_parser_feed(&conn->proto.ws, ws_extra_inflater(conn), data + at,
                                         len - at, &consumed, &result);
    at += consumed;
    if (event == WS_EVENT_MESSAGE && !conn->close_sent) {
      count++;
      bytes += result.data.len;
    }
    handle_event(conn, event, &result);
    if (event == WS_EVENT_MORE) break;
    if (at < len && (bytes >= GO_BYTES || !conn->is_reading)) break;
  }
  // One atomic operation for all of them.
  if (count > 0) stats_add(&conn->worker->stats->messages_in, count);
  bool is_whole = conn->proto.ws.assembly == NULL && conn->extra == NULL;
  if (!is_whole && !ws_unfinished_note(conn, count > 0) && conn_is_open(conn))
    ws_fail(conn, WS_CLOSE_TRY_AGAIN, "too many messages are under way");
  return at;
}

static void on_data(struct conn *conn, char *data, size_t len) {
  size_t taken = conn->is_behind ? 0 : feed(conn, data, len);
  if (taken < len && conn_is_open(conn)) ws_extra_keep(conn, data + taken, len - taken);
}

static void on_go_on(struct conn *conn) {
  if (conn->extra == NULL || !conn->is_reading) return;
  struct buf early = conn->extra->early;
  conn->extra->early = (struct buf){0};
  if (buf_len(&early) > 0)
    buf_consume(&early, feed(conn, early.data + early.start, buf_len(&early)));
  if (buf_len(&early) > 0 && conn_is_open(conn)) {
    ws_extra_of(conn)->early = early;
    if (conn->is_reading) conn_go_on_later(conn);
  } else {
    buf_free(&early);
    ws_extra_tidy(conn);
  }
}

// ---- heartbeat and the end -----------------------------------------------

static void on_timeout(struct conn *conn) {
  if (conn->close_sent) {
    conn_close(conn);
    return;
  }
  // A script that does not read now must not make a dead peer.
  if (conn->was_alive || !conn->is_reading)
    conn->missed = 0;
  else if (++conn->missed >= MISSED_PONGS) {
    conn_count_slow(conn, &conn->worker->stats->lost_peers, "two heartbeats went unanswered");
    conn_close(conn);
    return;
  }
  conn->was_alive = false;
  ws_frame_write(conn_out(conn), WS_PING, (struct slice){0});
  conn_set_timeout(conn, conn->interval_ms);
}

// No heartbeat while the socket was full: a ping there would ask only once the
// peer reads again, which by itself is the answer.
static void on_rearm(struct conn *conn) {
  conn->was_alive = true;
  conn_set_timeout(conn, conn->interval_ms);
}

static void on_drained(struct conn *conn) {
  conn->ping_waits = false;
  if (conn->is_session) conn->worker->app->drained(conn);
}

static void on_stop(struct conn *conn) {
  ws_close(conn, WS_CLOSE_GOING_AWAY, slice_str("server is stopping"));
}

static void on_lagged(struct conn *conn) {
  ws_close(conn, WS_CLOSE_TRY_AGAIN, slice_str("too slow"));
}

// A peer that does not answer our close frame does not change why the session
// ended: the app is told the code that we closed with. (For RFC 6455 7.1.5 this
// is 1006 as well, which would tell the app less than it knows.)
static void tell_broken(struct conn *conn) {
  int code = WS_CLOSE_ABNORMAL;
  if (conn->close_sent) code = conn->close_code != 0 ? conn->close_code : WS_CLOSE_NO_STATUS;
  tell_closed(conn, code, (struct slice){0});
}

// A peer may end its side and still read what it was answered; nothing more is
// said to it, though.
static void on_eof(struct conn *conn) {
  conn_finish(conn);
  tell_broken(conn);
}

static void on_close(struct conn *conn) {
  ws_unfinished_forget(conn);
  ws_parser_free(&conn->proto.ws);
  ws_extra_free(conn);
  tell_broken(conn);
}

static const struct conn_ops ws_ops = {on_data,    on_eof,  on_timeout, on_rearm, on_go_on,
                                       on_drained, on_stop, on_lagged,  on_close};

// ---- what the app calls --------------------------------------------------

// What the acceptance says itself, and once (RFC 6455 11.3).
static bool field_is_own(struct slice name) {
  return slice_starts_nocase(name, slice_str("sec-websocket-")) ||
         slice_equal_nocase(name, slice_str("upgrade"));
}

static void write_extensions(struct conn *conn, const struct ws_deflate_terms *offer,
                             enum ws_compress compress) {
  struct ws_deflate_terms terms = ws_extra_agree(conn, offer, compress == WS_COMPRESS_CONTEXT);
  struct buf value = {0};
  ws_deflate_write_terms(&value, &terms);
  http_write_header(conn_out(conn), slice_str("Sec-WebSocket-Extensions"), buf_slice(&value));
  buf_free(&value);
}

// Topic messages are compressed once for all, with a window that is not every peer's.
static enum wire_form form_for(const struct conn *conn, bool has_envelope) {
  if (conn->proto.ws.peer_window_bits >= WS_WINDOW_BITS)
    return has_envelope ? WIRE_WS_ENVELOPE_DEFLATED : WIRE_WS_DEFLATED;
  return has_envelope ? WIRE_WS_ENVELOPE : WIRE_WS;
}

enum http_send_status ws_accept(struct http_conn *http, const struct ws_handshake *handshake,
                                const struct ws_options *options, const struct http_field *fields,
                                size_t count, struct conn **result) {
  struct conn *conn = http_conn_of(http);
  for (size_t i = 0; i < count; i++) {
    if (field_is_own(fields[i].name)) return HTTP_SEND_BAD_FIELD;
  }
  enum http_send_status sent = http_write_upgrade_head(http, 101, fields, count);
  if (sent != HTTP_SENT) return sent;
  struct buf *out = conn_out(conn);
  http_write_header(out, slice_str("Upgrade"), slice_str("websocket"));
  http_write_header(out, slice_str("Connection"), slice_str("Upgrade"));
  http_write_header(out, slice_str("Sec-WebSocket-Accept"), slice_str(handshake->accept));
  if (options->protocol.len > 0)
    http_write_header(out, slice_str("Sec-WebSocket-Protocol"), options->protocol);

  struct buf early = http_conn_hand_over(http);
  conn->is_session = true;
  conn->ops = &ws_ops;
  ws_parser_init(&conn->proto.ws, options->max_message);
  if (handshake->offers_deflate && options->compress != WS_COMPRESS_OFF)
    write_extensions(conn, &handshake->offer, options->compress);
  http_write_end(out);
  conn->reader.form = (uint8_t)form_for(conn, options->has_envelope);
  conn->interval_ms = (uint32_t)options->heartbeat_ms;
  conn->was_alive = true;
  conn_set_timeout(conn, conn->interval_ms);
  conn_set_reading(conn, true);
  ws_extra_keep(conn, early.data + early.start, buf_len(&early));
  buf_free(&early);
  stats_add(&conn->worker->stats->websockets, 1);
  *result = conn;
  // The peer may have left while the request waited.
  if (conn->peer_ended)
    conn_close(conn);
  else if (conn->worker->is_stopping)
    on_stop(conn);
  return HTTP_SENT;
}

enum session_status ws_send(struct conn *conn, enum message_kind kind, struct slice data) {
  if (!conn_is_live(conn)) return SESSION_CLOSED;
  if (kind == MESSAGE_TEXT && !utf8_is_valid(data)) return SESSION_NOT_UTF8;
  if (!has_room(conn, data.len)) {
    stats_add(&conn->worker->stats->sends_full, 1);
    return SESSION_FULL;
  }
  ws_message_write(conn_out(conn), kind == MESSAGE_TEXT ? WS_TEXT : WS_BINARY, data,
                   ws_extra_deflater(conn, data.len));
  return SESSION_OK;
}

enum session_status ws_ping(struct conn *conn, struct slice data) {
  if (!conn_is_live(conn)) return SESSION_CLOSED;
  if (data.len > WS_CONTROL_MAX) return SESSION_INVALID;
  if (!has_room(conn, data.len)) {
    if (conn->ping_waits) return SESSION_FULL;
    conn->ping_waits = true;
  }
  ws_frame_write(conn_out(conn), WS_PING, data);
  return SESSION_OK;
}

enum session_status ws_close(struct conn *conn, int code, struct slice reason) {
  if (!conn_is_live(conn)) return SESSION_CLOSED;
  if ((code != 0 && !ws_close_code_is_valid(code)) || reason.len > WS_CONTROL_MAX - 2 ||
      !utf8_is_valid(reason))
    return SESSION_INVALID;
  send_close(conn, code, reason);
  // Reading goes on even if the script had stopped it: the answer must get in.
  conn_set_reading(conn, true);
  conn_set_deadline(conn, CLOSE_WAIT_MS);
  return SESSION_OK;
}
