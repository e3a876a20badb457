// HTTP/1.1 on a connection: see http1.h. The parser pulls one event at a time
// out of the input, so answering, pausing and upgrading all happen between
// two events.
#include "net/http1.h"

#include "base/buf.h"
#include "net/http1_call.h"
#include "proto/http_response.h"

// How much of later requests may wait while one is being answered.
enum { PIPELINE_BYTES = 65536 };

// Of a body, until the clock is read: it may come in chunks of a byte.
enum { EVENTS_A_READING = 64 };

static struct http1 *http_of(const struct conn *conn) { return session_of(conn)->state.http1; }

static const struct worker *worker_of(const struct http1 *http) { return http->call.worker; }

static const struct app *app_of(const struct http1 *http) { return http->call.worker->app; }

static const struct conn_ops http1_ops;

// False once a session has taken the connection over: `http` is gone then.
static bool speaks_http(const struct conn *conn) { return conn->ops == &http1_ops; }

// The server's own refusal: the app, if it knows the request, is told it is over.
static void refuse(struct http1 *http, int status, const char *reason) {
  struct conn *conn = http1_conn(http);
  http->response.keeps_alive = false;
  http->body_is_complete = true;
  http1_call_tell_closed(http);
  if (http->response.is_started) {
    // A complete answer still goes out; half of one must not look complete.
    if (http->response.is_ended)
      conn_finish(conn);
    else
      conn_close(conn);
    return;
  }
  // Whatever else is wrong with it (RFC 9110 9.3.2).
  bool is_head = slice_equal(http_parser_method(http->parser), slice_str("HEAD"));
  http_write_refusal(conn_out(conn), status, worker_date(conn->worker), reason, is_head);
  http->response.is_started = http->response.is_ended = true;
  conn_finish(conn);
}

// ---- receiving -----------------------------------------------------------

static void on_head(struct http1 *http) {
  struct conn *conn = http1_conn(http);
  const struct http_request *request = http->call.request;
  http->in_request = true;
  http->response.keeps_alive = request->keep_alive;
  http->app_knows = true;
  metric_add(&conn->worker->stats->requests, 1);
  if (request->has_body)
    conn_set_deadline(conn, conn->worker->config->body_timeout_ms);
  else
    conn_set_timeout(conn, 0);
  http->body_is_complete = !request->has_body;
  app_of(http)->request(&http->call);
}

static void on_done(struct http1 *http) {
  bool was_waited_for = http->body_is_wanted && http->app_knows && !http->body_is_complete;
  http->body_is_complete = true;
  conn_set_timeout(http1_conn(http), 0);
  if (http->response.is_ended)
    http1_call_finish(http);
  else if (was_waited_for)
    app_of(http)->request_body(&http->call);
}

// True while the parser may be given more: not while a complete request waits
// for its answer.
static bool wants_input(const struct http1 *http) {
  if (!conn_is_open(http1_conn(http))) return false;
  return http->in_request ? !http->body_is_complete : !http1_call_output_is_full(http);
}

// Others' requests hold all of message_memory. One that is complete stays: its handler has it.
static void refuse_for_memory(struct http1 *http) {
  metric_add(&worker_of(http)->stats->refused_memory, 1);
  refuse(http, 503, "too many requests are under way");
  // Not only when the client has taken the answer and gone.
  buf_free(&http->body);
  http_parser_reset(http->parser);
  http1_call_hold(http);
}

static void handle_event(struct http1 *http, enum http_event event, struct slice body) {
  switch (event) {
    case HTTP_MORE:
      break;
    case HTTP_HEAD:
      on_head(http);
      break;
    case HTTP_BODY:
      // Nobody will read it once the answer is out.
      if (http->response.is_ended) break;
      buf_append_slice(&http->body, body);
      if (!http1_call_hold(http)) refuse_for_memory(http);
      break;
    case HTTP_DONE:
      on_done(http);
      break;
    case HTTP_FAILED: {
      struct http_failure failure = http_parser_failure(http->parser);
      metric_add(&worker_of(http)->stats->bad_requests, 1);
      refuse(http, failure.status, failure.reason);
      break;
    }
  }
}

// Whether others are to have their turns, after so many events. In the midst of a body, too,
// while bytes are left that bring the connection back.
static bool has_used_share(struct worker *worker, const struct http1 *http, unsigned events,
                           bool is_at_end) {
  if (events % EVENTS_A_READING == 0) turn_clock_read(&worker->clock);
  return turn_clock_is_share_over(&worker->clock) && !(http->in_request && is_at_end);
}

// Parses as far as it goes and returns how much was consumed. The connection
// may be in another protocol afterwards, and `http` gone.
static size_t parse(struct http1 *http, struct slice in) {
  // Not through http: a handler may end HTTP on the connection.
  struct conn *conn = http1_conn(http);
  size_t at = 0;
  unsigned events = 0;
  // After a head or a piece of body the next event may need no more bytes.
  bool has_event = false;
  http->is_feeding = true;
  while ((at < in.len || has_event) && wants_input(http)) {
    size_t consumed = 0;
    struct slice body = {0};
    enum http_event event =
        http_parser_feed(http->parser, slice_of(in.ptr + at, in.len - at), &consumed, &body);
    at += consumed;
    has_event = event == HTTP_HEAD || event == HTTP_BODY;
    handle_event(http, event, body);
    if (!speaks_http(conn)) return at;
    if (has_used_share(conn->worker, http, ++events, at == in.len)) break;
  }
  http->is_feeding = false;
  return at;
}

// Requests that could go on wait for the next turn, in which others have had theirs.
static bool waits_for_turn(const struct http1 *http) {
  return buf_len(&http->input) > 0 && wants_input(http);
}

// The client has ended its side. It may still wait for the answers to what it asked before,
// or have read only a part of them.
static void finish_when_answered(struct http1 *http) {
  bool waits_for_answer = http->in_request && http->body_is_complete;
  bool waits_for_room = !http->in_request && http1_call_output_is_full(http);
  if (waits_for_answer || waits_for_room || buf_len(&http->input) > 0) return;
  conn_finish(http1_conn(http));
}

// They were not begun, so the client may ask again (RFC 9112 9.3.1).
static void drop_requests_behind(struct http1 *http) {
  struct conn *conn = http1_conn(http);
  metric_add(&conn->worker->stats->refused_memory, 1);
  buf_free(&http->input);
  http1_call_hold(http);
  http->response.keeps_alive = false;
  conn_set_reading(conn, false);
}

// The rest of a head, or requests behind the one that is answered, may be too much. False: the
// connection ends.
static bool check_memory(struct http1 *http, bool is_idle) {
  bool holds = buf_len(&http->input) > 0 || !is_idle;
  if ((!holds && http->held == 0) || http1_call_hold(http)) return true;
  if (http->in_request && http->body_is_complete) {
    if (buf_len(&http->input) > 0) drop_requests_behind(http);
  } else {
    buf_free(&http->input);
    refuse_for_memory(http);
  }
  return conn_is_open(http1_conn(http));
}

// What to do with what parse() left: keep it for later, and be patient only
// for so long or so much.
static void after_parse(struct http1 *http) {
  struct conn *conn = http1_conn(http);
  if (!conn_is_open(conn)) return;
  bool is_idle = http_parser_is_idle(http->parser);
  if (!http->in_request && !http->saw_input && !is_idle) {
    http->saw_input = true;
    conn_set_deadline(conn, conn->worker->config->header_timeout_ms);
  }
  if (buf_len(&http->input) == 0) buf_free(&http->input);
  if (!check_memory(http, is_idle)) return;
  if (buf_len(&http->input) > PIPELINE_BYTES || http1_call_output_is_full(http))
    conn_set_reading(conn, false);
  if (waits_for_turn(http)) conn_put_off(conn);
  if (conn_has_ended(conn)) finish_when_answered(http);
}

static void on_data(struct conn *conn, char *data, size_t len) {
  struct http1 *http = http_of(conn);
  bool waits = !http->in_request && conn_is_read_for_later(conn, len);
  if (buf_len(&http->input) > 0 || waits) {
    // Earlier input waits for an answer, so this waits behind it; or all of it for its turn.
    buf_append(&http->input, data, len);
  } else {
    size_t consumed = parse(http, slice_of(data, len));
    if (!speaks_http(conn)) {
      // The first bytes of the new protocol came in the same packet.
      if (consumed < len && conn_is_open(conn))
        conn->ops->data(conn, data + consumed, len - consumed);
      return;
    }
    if (conn_is_open(conn)) buf_append(&http->input, data + consumed, len - consumed);
  }
  after_parse(http);
}

// The answer is out: on to the requests that waited for it.
static void on_go_on(struct conn *conn) {
  struct http1 *http = http_of(conn);
  struct buf input = http->input;  // perhaps empty: then only after_parse matters
  http->input = (struct buf){0};
  size_t consumed = parse(http, buf_slice(&input));
  buf_consume(&input, consumed);
  if (!speaks_http(conn)) {
    if (buf_len(&input) > 0 && conn_is_open(conn))
      conn->ops->data(conn, input.data + input.start, buf_len(&input));
    buf_free(&input);
    return;
  }
  buf_free(&http->input);
  http->input = input;
  after_parse(http);
}

static void on_eof(struct conn *conn) { finish_when_answered(http_of(conn)); }

// ---- time and the end ----------------------------------------------------

static void refuse_slow(struct http1 *http, const char *what) {
  session_count_slow(http->session, &worker_of(http)->stats->slow_requests, what);
  refuse(http, 408, what);
}

static void on_rearm(struct conn *conn) {
  bool is_idle = !http_of(conn)->in_request;
  conn_set_timeout(conn, is_idle ? conn->worker->config->idle_timeout_ms : 0);
}

static void on_timeout(struct conn *conn) {
  struct http1 *http = http_of(conn);
  bool is_in_body = http->in_request && !http->body_is_complete;
  if (conn->waits_turn && is_in_body)
    conn_set_deadline(conn, conn->worker->config->body_timeout_ms);
  else if (conn->waits_turn)
    on_rearm(conn);  // it is not the client that takes its time
  else if (is_in_body)
    refuse_slow(http, "the request body took too long");
  else if (http->saw_input)
    refuse_slow(http, "the request head took too long");
  else
    conn_close(conn);
}

static void on_drained(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (!http->in_request) {
    conn_set_reading(conn, true);
    bool has_more = buf_len(&http->input) > 0 || conn_has_ended(conn);
    if (has_more && !conn->waits_turn) conn_go_on(conn);
  }
  if (http->app_knows && http->response.is_started) app_of(http)->request_drained(&http->call);
}

static void on_stop(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (!http->in_request)
    conn_finish(conn);
  else
    http->response.keeps_alive = false;
}

// A part must not look like the whole. Where nothing but the end of the connection
// tells of a body's end, that end has to be an error (RFC 9112 8).
static bool is_cut(const struct http1 *http) {
  return http->response.ends_by_close &&
         (!http->response.is_ended || conn_out_bytes(http1_conn(http)) > 0);
}

static void on_close(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (is_cut(http)) sock_discard(&conn->sock);
  http1_call_tell_closed(http);
  http1_call_release(http);
}

static const struct conn_ops http1_ops = {
    .data = on_data,
    .eof = on_eof,
    .timeout = on_timeout,
    .stalled = session_on_stalled,
    .rearm = on_rearm,
    .go_on = on_go_on,
    .drained = on_drained,
    .stop = on_stop,
    .close = on_close,
};

void http1_open(struct worker *worker, int fd) {
  if (!conn_admit(worker, fd)) return;
  struct http1 *http = http1_call_take(worker);
  http->session = session_new(worker, fd, &http1_ops);
  http->session->state.http1 = http;
  conn_set_timeout(http1_conn(http), worker->config->header_timeout_ms);
}
