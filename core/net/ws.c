// WebSocket sessions: see ws.h. The receiving rules are proto/ws_parse; here are
// the answers to its events, the heartbeat and the close handshake.
//
// The end of a session, with the function of each edge:
//
//   open -- ws_close --> close_sent -- on_peer_close, or on_timeout after CLOSE_WAIT_MS --> over
//     |                                                                                      ^
//     +-- on_peer_close (answers), ws_fail, on_eof, on_close (the connection broke) ---------+
#include "net/ws.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "net/wire.h"
#include "net/worker.h"
#include "net/ws_extra.h"
#include "net/ws_shared.h"
#include "proto/ws_close_code.h"
#include "proto/ws_message.h"
#include "proto/ws_parse.h"

enum {
  // Of messages in one go, as much as a read brings of them when they are not compressed.
  GO_BYTES = WORKER_READ_BYTES,
  EVENTS_A_READING = 64,  // of the clock, where no handler runs
  CLOSE_WAIT_MS = 5000,   // for the peer's half of the close handshake
  MISSED_PONGS = 2,
};

static void send_close(struct session *session, int code, struct slice reason) {
  if (session->close_sent) return;
  session->close_sent = true;
  session->close_code = (uint16_t)code;
  ws_close_write(session_out(session), code, reason);
}

// Every ping is answered while there is room. Beyond, the newest one is: its
// pong takes the place of the one that is last in the queue (RFC 6455 5.5.3
// allows that), so that a peer which pings and does not read is answered
// rightly, and costs one pong. That one has not begun to go out: in front of it
// is what fills the queue.
static void send_pong(struct session *session, struct slice data) {
  size_t replaced = session_has_room(session, data.len) ? 0 : session->tail_pong;
  struct buf *out = session_out(session);
  buf_chop(out, replaced);
  size_t before = buf_len(out);
  ws_frame_write(out, WS_PONG, data);
  session->tail_pong = (buf_len(out) - before) & 0x7F;  // at most 127
}

// ---- events of the session -----------------------------------------------

// The peer's close frame: answer it, or, when it is the answer, be done.
static void on_peer_close(struct session *session, int code, struct slice reason) {
  // An empty close is answered by an empty one.
  send_close(session, code == WS_CLOSE_NO_STATUS ? 0 : code, (struct slice){0});
  session_set_reading(session, true);
  session_end(session, code, reason);
  conn_finish(&session->conn);
}

// Ends the session for what the peer did or did not.
static void ws_fail(struct session *session, int code, const char *reason) {
  log_info("WebSocket %llu failed, %d: %s", (unsigned long long)session_id(session), code, reason);
  ws_extra_forget_unfinished(session);
  ws_parser_free(&session->state.ws);
  send_close(session, code, slice_str(reason));
  session_end(session, code, slice_str(reason));
  conn_finish(&session->conn);
}

static void fail_for_memory(struct session *session, const char *reason) {
  metric_add(&session_worker(session)->stats->refused_memory, 1);
  ws_fail(session, WS_CLOSE_TRY_AGAIN, reason);
}

static void handle_event(struct session *session, enum ws_event event,
                         const struct ws_result *result) {
  switch (event) {
    case WS_EVENT_MORE:
      break;
    case WS_EVENT_MESSAGE:
      // After our close frame the peer's messages are of no interest (RFC 6455 1.4);
      // its pings are still owed their pongs (5.5.2).
      if (session->close_sent) break;
      session_worker(session)->app->message(session, result->kind, result->data);
      break;
    case WS_EVENT_PING:
      send_pong(session, result->data);
      break;
    case WS_EVENT_PONG:
      break;  // any input counts as a sign of life
    case WS_EVENT_CLOSE:
      on_peer_close(session, result->code, result->data);
      break;
    case WS_EVENT_FAILED:
      ws_fail(session, result->code, result->reason);
      break;
  }
}

// Whether others are to have their turns, after so many events that brought so many bytes of
// messages. Each message comes here, but for the last of its read.
static bool has_used_share(struct worker *worker, unsigned events, size_t bytes) {
  if (events % EVENTS_A_READING == 0) turn_clock_read(&worker->clock);
  return bytes >= GO_BYTES || turn_clock_is_share_over(&worker->clock);
}

// Feeds the session; returns how much of the input it took. That is all of it, but where a peer
// sends what takes long, or is large (compressed), or where the script does not want to hear more.
static size_t feed(struct session *session, char *data, size_t len) {
  struct ws_parser *parser = &session->state.ws;
  const struct conn *conn = &session->conn;
  unsigned count = 0, events = 0;
  size_t at = 0, bytes = 0;
  // Until MORE, also without input: that call releases what a message in
  // pieces was collected in.
  while (conn_is_open(conn)) {
    size_t consumed = 0;
    struct ws_result result = {0};
    enum ws_event event =
        ws_parser_feed(parser, ws_extra_inflater(session), data + at, len - at, &consumed, &result);
    at += consumed;
    if (event == WS_EVENT_MESSAGE && !session->close_sent) {
      count++;
      bytes += result.data.len;
    }
    handle_event(session, event, &result);
    if (event == WS_EVENT_MORE) break;
    if (at < len && (!conn->is_reading || has_used_share(conn->worker, ++events, bytes))) break;
  }
  // One atomic operation for all of them.
  if (count > 0) metric_add(&conn->worker->stats->messages_in, count);
  bool is_whole = parser->assembly == NULL && session->extra == NULL;
  if (!is_whole && !ws_extra_note_unfinished(session, count > 0) && conn_is_open(conn))
    fail_for_memory(session, "too many messages are under way");
  return at;
}

static void on_data(struct conn *conn, char *data, size_t len) {
  struct session *session = session_of(conn);
  bool waits = conn->waits_turn ||
               (conn_is_read_for_later(conn, len) && !ws_parser_in_message(&session->state.ws));
  size_t taken = waits ? 0 : feed(session, data, len);
  if (taken == len || !conn_is_open(conn)) return;
  if (!ws_extra_keep(session, data + taken, len - taken))
    fail_for_memory(session, "too many messages wait");
  else if (conn->is_reading)
    conn_put_off(conn);
}

static void on_go_on(struct conn *conn) {
  struct session *session = session_of(conn);
  if (session->extra == NULL || !conn->is_reading) return;
  struct buf early = ws_extra_take_early(session);
  if (buf_len(&early) > 0)
    buf_consume(&early, feed(session, early.data + early.start, buf_len(&early)));
  if (buf_len(&early) > 0 && conn_is_open(conn)) {
    ws_extra_put_back(session, early);
    if (conn->is_reading) conn_put_off(conn);
  } else {
    buf_free(&early);
    ws_extra_tidy(session);
  }
}

static bool holds_input(const struct session *session) { return session->extra != NULL; }

// It is we who take our time: the script, or others that have their turns first. Nothing
// is read from the peer then, which must not make it slow or dead.
static bool is_held_back(const struct conn *conn) { return !conn->is_reading || conn->waits_turn; }

static void on_overdue(struct ws_unfinished_set *set, struct ws_unfinished *unfinished) {
  static const char too_slow[] = "the message took too long";
  struct session *session = list_entry(unfinished, struct ws_extra, unfinished)->session;
  if (is_held_back(&session->conn)) {
    ws_unfinished_begin(set, unfinished);
    return;
  }
  ws_extra_forget_unfinished(session);
  if (!conn_is_open(&session->conn)) return;
  session_count_slow(session, &set->worker->stats->slow_requests, too_slow);
  ws_fail(session, WS_CLOSE_POLICY, too_slow);
}

// ---- heartbeat and the end -----------------------------------------------

static void on_timeout(struct conn *conn) {
  struct session *session = session_of(conn);
  if (session->close_sent) {
    conn_close(conn);
    return;
  }
  if (conn->was_alive || is_held_back(conn))
    session->missed = 0;
  else if (++session->missed >= MISSED_PONGS) {
    session_count_slow(session, &conn->worker->stats->lost_peers, "two heartbeats went unanswered");
    conn_close(conn);
    return;
  }
  conn->was_alive = false;
  ws_frame_write(session_out(session), WS_PING, (struct slice){0});
  conn_set_timeout(conn, session->interval_ms);
}

// No heartbeat while the socket was full: a ping there would ask only once the
// peer reads again, which by itself is the answer.
static void on_rearm(struct conn *conn) {
  conn->was_alive = true;
  session_on_rearm(conn);
}

static void on_drained(struct conn *conn) {
  session_of(conn)->ping_waits = false;
  session_on_drained(conn);
}

static void on_stop(struct conn *conn) {
  ws_close(session_of(conn), WS_CLOSE_GOING_AWAY, slice_str("server is stopping"));
}

static void on_lagged(struct session *session) {
  ws_close(session, WS_CLOSE_TRY_AGAIN, slice_str("too slow"));
}

// A peer that does not answer our close frame does not change why the session
// ended: the app is told the code that we closed with. (For RFC 6455 7.1.5 this
// is 1006 as well, which would tell the app less than it knows.)
static void end_broken(struct session *session) {
  int code = WS_CLOSE_ABNORMAL;
  if (session->close_sent)
    code = session->close_code != 0 ? session->close_code : WS_CLOSE_NO_STATUS;
  session_end(session, code, (struct slice){0});
}

// A peer may end its side and still read what it was answered; nothing more is
// said to it, though.
static void on_eof(struct conn *conn) {
  conn_finish(conn);
  end_broken(session_of(conn));
}

static void on_close(struct conn *conn) {
  struct session *session = session_of(conn);
  ws_extra_forget_unfinished(session);
  ws_parser_free(&session->state.ws);
  ws_extra_free(session);
  end_broken(session);
}

static const struct session_ops ws_ops = {
    .conn = {.data = on_data,
             .eof = on_eof,
             .timeout = on_timeout,
             .stalled = session_on_stalled,
             .rearm = on_rearm,
             .written = session_on_written,
             .go_on = on_go_on,
             .drained = on_drained,
             .stop = on_stop,
             .close = on_close},
    .open_count = offsetof(struct stats, websockets),
    .holds_input = holds_input,
    .lagged = on_lagged,
};

void ws_open_worker(struct worker *worker) {
  struct ws_shared *shared = mem_zalloc(sizeof *shared);
  shared->deflater = ws_deflater_new(WS_WINDOW_BITS, false);
  ws_unfinished_set_init(&shared->unfinished, worker, on_overdue);
  worker->ws_shared = shared;
}

void ws_close_worker(struct worker *worker) {
  struct ws_shared *shared = worker->ws_shared;
  if (shared == NULL) return;
  ws_deflater_free(shared->deflater);
  ws_inflater_free(shared->inflater);
  free(shared);
  worker->ws_shared = NULL;
}

// ---- what the app calls --------------------------------------------------

// What the acceptance says itself, and once (RFC 6455 11.3).
static bool has_own_field(const struct http_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (slice_starts_nocase(fields[i].name, slice_str("sec-websocket-")) ||
        slice_equal_nocase(fields[i].name, slice_str("upgrade")))
      return true;
  }
  return false;
}

enum { OWN_FIELDS_MAX = 5 };

static size_t list_own_fields(struct http_field own[OWN_FIELDS_MAX],
                              const struct ws_handshake *handshake, struct slice protocol,
                              struct slice extensions) {
  size_t count = 0;
  own[count++] = (struct http_field){slice_str("Upgrade"), slice_str("websocket")};
  own[count++] = (struct http_field){slice_str("Connection"), slice_str("Upgrade")};
  own[count++] =
      (struct http_field){slice_str("Sec-WebSocket-Accept"), slice_str(handshake->accept)};
  if (protocol.len > 0)
    own[count++] = (struct http_field){slice_str("Sec-WebSocket-Protocol"), protocol};
  if (extensions.len > 0)
    own[count++] = (struct http_field){slice_str("Sec-WebSocket-Extensions"), extensions};
  return count;
}

// Topic messages are compressed once for all, with a window that is not every peer's.
static enum wire_form form_for(const struct session *session, bool has_envelope) {
  if (session->state.ws.peer_window_bits >= WS_WINDOW_BITS)
    return has_envelope ? WIRE_WS_ENVELOPE_DEFLATED : WIRE_WS_DEFLATED;
  return has_envelope ? WIRE_WS_ENVELOPE : WIRE_WS;
}

static void begin(struct session *session, const struct ws_options *options,
                  const struct ws_deflate_terms *terms) {
  ws_parser_init(&session->state.ws, options->max_message);
  if (terms != NULL) ws_extra_take_terms(session, terms);
  session_begin(session, &ws_ops, form_for(session, options->has_envelope), options->heartbeat_ms);
}

enum http_send_status ws_accept(struct http_call *call, const struct ws_handshake *handshake,
                                const struct ws_options *options, const struct http_field *fields,
                                size_t count, struct session **result) {
  struct worker *worker = call->worker;
  bool deflates = handshake->offers_deflate && options->compress != WS_COMPRESS_OFF;
  struct ws_deflate_terms terms;
  struct buf extensions = {0}, early = {0};
  struct session *session;
  if (has_own_field(fields, count)) return HTTP_SEND_BAD_FIELD;
  if (deflates) {
    terms = ws_extra_agree(worker, &handshake->offer, options->compress == WS_COMPRESS_CONTEXT);
    ws_deflate_write_terms(&extensions, &terms);
  }
  struct http_field own[OWN_FIELDS_MAX];
  size_t own_count = list_own_fields(own, handshake, options->protocol, buf_slice(&extensions));
  struct http_acceptance acceptance = {101, fields, count, own, own_count};
  enum http_send_status sent = http_accept(call, &acceptance, &session, &early);
  buf_free(&extensions);
  if (sent != HTTP_SENT) return sent;
  begin(session, options, deflates ? &terms : NULL);
  ws_extra_keep(session, early.data + early.start, buf_len(&early));
  if (buf_len(&early) > 0 && session->conn.is_reading) conn_go_on_later(&session->conn);
  buf_free(&early);
  *result = session;
  // The peer may have left while the request waited.
  if (conn_has_ended(&session->conn))
    conn_close(&session->conn);
  else if (worker->is_stopping)
    on_stop(&session->conn);
  return HTTP_SENT;
}

enum session_status ws_send(struct session *session, enum message_kind kind, struct slice data) {
  if (!session_is_live(session)) return SESSION_CLOSED;
  if (kind == MESSAGE_TEXT && !utf8_is_valid(data)) return SESSION_NOT_UTF8;
  if (!session_has_room(session, data.len)) return session_refuse_full(session);
  ws_message_write(session_out(session), kind == MESSAGE_TEXT ? WS_TEXT : WS_BINARY, data,
                   ws_extra_deflater(session, data.len));
  return SESSION_OK;
}

enum session_status ws_ping(struct session *session, struct slice data) {
  if (!session_is_live(session)) return SESSION_CLOSED;
  if (data.len > WS_CONTROL_MAX) return SESSION_INVALID;
  if (!session_has_room(session, data.len)) {
    if (session->ping_waits) return SESSION_FULL;
    session->ping_waits = true;
  }
  ws_frame_write(session_out(session), WS_PING, data);
  return SESSION_OK;
}

enum session_status ws_close(struct session *session, int code, struct slice reason) {
  if (!session_is_live(session)) return SESSION_CLOSED;
  if ((code != 0 && !ws_close_code_is_valid(code)) || reason.len > WS_CONTROL_MAX - 2 ||
      !utf8_is_valid(reason))
    return SESSION_INVALID;
  send_close(session, code, reason);
  // Reading goes on even if the script had stopped it: the answer must get in.
  session_set_reading(session, true);
  conn_set_deadline(&session->conn, CLOSE_WAIT_MS);
  return SESSION_OK;
}
