// HTTP on a connection: see http_conn.h. The parser pulls one event at a time
// out of the input, so answering, pausing and upgrading all happen between
// two events.
#include "net/http_conn.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/worker.h"
#include "proto/http_response.h"

// How much of later requests may wait while one is being answered.
enum { PIPELINE_BYTES = 65536 };

// A body whose length is not known before its end.
enum { LENGTH_UNKNOWN = -1 };

struct http_conn {
  struct conn *conn;
  struct http_parser *parser;
  void *app;
  struct buf input;  // not yet parsed
  struct buf body;
  bool in_request : 1;  // from the head's end to the end of response and body
  bool app_knows : 1;   // app->request was called and request_closed was not
  bool body_is_complete : 1;
  bool body_is_wanted : 1;
  bool continue_sent : 1;
  bool is_started : 1;  // response head written
  bool is_ended : 1;    // response complete
  bool is_chunked : 1;
  bool ends_by_close : 1;  // only the end of the connection tells the end of the body
  bool drops_body : 1;     // HEAD, 1xx, 204, 205, 304
  bool keeps_alive : 1;
  bool is_feeding : 1;  // parse() is on the stack
  bool saw_input : 1;   // the first byte of the next request has come
};

// ---- accessors -----------------------------------------------------------

const struct http_request *http_request(const struct http_conn *http) {
  return http_parser_request(http->parser);
}
struct conn *http_conn_of(const struct http_conn *http) {
  return http->conn;
}
struct worker *http_worker(const struct http_conn *http) {
  return http->conn->worker;
}
void *http_app(const struct http_conn *http) { return http->app; }
void http_set_app(struct http_conn *http, void *app) { http->app = app; }
struct slice http_body(const struct http_conn *http) {
  return buf_slice(&http->body);
}
bool http_is_started(const struct http_conn *http) { return http->is_started; }

static const struct conn_ops http_ops;

// False once a session has taken the connection over: `http` is gone then.
static bool speaks_http(const struct conn *conn) { return conn->ops == &http_ops; }

static const struct app *app_of(const struct http_conn *http) { return http->conn->worker->app; }

// ---- the end of a request ------------------------------------------------

static void tell_app_closed(struct http_conn *http) {
  if (!http->app_knows) return;
  http->app_knows = false;
  app_of(http)->request_closed(http);
  http->app = NULL;
}

// A client that asks and asks and never reads is not answered into memory.
static bool output_is_full(const struct http_conn *http) {
  return conn_out_bytes(http->conn) > http->conn->worker->config->send_queue_bytes;
}

static void reset_request(struct http_conn *http) {
  http_parser_reset(http->parser);
  buf_free(&http->body);
  http->in_request = http->body_is_complete = http->body_is_wanted = http->continue_sent = false;
  http->is_started = http->is_ended = http->is_chunked = http->ends_by_close = false;
  http->drops_body = http->saw_input = false;
}

// Response and body are both through: on to the next request, or the end.
static void finish_request(struct http_conn *http) {
  struct conn *conn = http->conn;
  if (!http->keeps_alive || conn->worker->is_stopping) {
    conn_finish(conn);
    return;
  }
  reset_request(http);
  if (!output_is_full(http)) conn_set_reading(conn, true);
  conn_set_timeout(conn, conn->worker->config->idle_timeout_ms);
  // Requests that came meanwhile, or the end of a client that has ended its side.
  if (!http->is_feeding && (buf_len(&http->input) > 0 || conn->peer_ended)) conn_go_on(conn);
}

// A client that waits for "100 Continue" and gets a final answer may or may not
// send the body: only closing is unambiguous.
static bool awaits_continue(const struct http_conn *http) {
  return !http->body_is_complete && http_request(http)->expects_continue && !http->continue_sent;
}

static void on_response_ended(struct http_conn *http) {
  http->is_ended = true;
  tell_app_closed(http);
  if (http->body_is_complete || awaits_continue(http)) finish_request(http);
}

// ---- sending -------------------------------------------------------------

bool http_field_is_own(struct slice name) {
  static const char *const own[] = {"content-length", "transfer-encoding", "connection", "date",
                                    "keep-alive"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (slice_equal_nocase(name, slice_str(own[i]))) return true;
  }
  return false;
}

static bool fields_are_valid(const struct http_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!http_header_name_is_valid(fields[i].name) ||
        !http_header_value_is_valid(fields[i].value) || http_field_is_own(fields[i].name)) {
      return false;
    }
  }
  return true;
}

enum http_send_status http_write_upgrade_head(struct http_conn *http, int status,
                                              const struct http_field *fields, size_t count) {
  if (http->is_started) return HTTP_SEND_STARTED;
  if (!fields_are_valid(fields, count)) return HTTP_SEND_BAD_FIELD;
  struct buf *out = conn_out(http->conn);
  http_write_status(out, status);
  http_write_header(out, slice_str("Date"), slice_str(worker_date(http->conn->worker)));
  for (size_t i = 0; i < count; i++) http_write_header(out, fields[i].name, fields[i].value);
  http->is_started = true;
  return HTTP_SENT;
}

// Whoever sends Upgrade names it in Connection, too (RFC 9110 7.8).
static bool names_upgrade(const struct http_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (slice_equal_nocase(fields[i].name, slice_str("upgrade"))) return true;
  }
  return false;
}

static void write_connection(struct http_conn *http, struct buf *out,
                             const struct http_field *fields, size_t count) {
  if (names_upgrade(fields, count))
    http_write_header(out, slice_str("Connection"), slice_str("Upgrade"));
  if (!http->keeps_alive)
    http_write_header(out, slice_str("Connection"), slice_str("close"));
  else if (http_request(http)->minor_version == 0) {
    http_write_header(out, slice_str("Connection"), slice_str("keep-alive"));
  }
}

// Tells where the body ends (RFC 9112 6.3). Of the statuses without one, 1xx and
// 204 must not tell a length (RFC 9110 8.6), a 304 need not, and a 205 has to say
// that nothing follows (15.3.6).
static void write_framing(struct http_conn *http, struct buf *out, int status, int64_t length) {
  enum { RESET_CONTENT = 205 };
  bool is_bodiless = http_status_is_bodiless(status);
  http->drops_body = is_bodiless || http_request(http)->method == HTTP_METHOD_HEAD;
  if (status == RESET_CONTENT)
    length = 0;
  else if (is_bodiless)
    return;
  if (length != LENGTH_UNKNOWN) {
    http_write_length(out, (uint64_t)length);
    return;
  }
  http->is_chunked = http_request(http)->minor_version > 0;
  if (http->is_chunked)
    http_write_header(out, slice_str("Transfer-Encoding"), slice_str("chunked"));
  else
    http->keeps_alive = false;
  http->ends_by_close = !http->is_chunked && !http->drops_body;
}

static enum http_send_status write_head(struct http_conn *http, int status,
                                        const struct http_field *fields, size_t count,
                                        int64_t length) {
  enum http_send_status sent = http_write_upgrade_head(http, status, fields, count);
  if (sent != HTTP_SENT) return sent;
  struct buf *out = conn_out(http->conn);
  write_framing(http, out, status, length);
  if (http->conn->worker->is_stopping || awaits_continue(http)) http->keeps_alive = false;
  write_connection(http, out, fields, count);
  http_write_end(out);
  return HTTP_SENT;
}

enum http_send_status http_respond(struct http_conn *http, int status,
                                   const struct http_field *fields, size_t count,
                                   struct slice body) {
  enum http_send_status sent = write_head(http, status, fields, count, (int64_t)body.len);
  if (sent != HTTP_SENT) return sent;
  if (!http->drops_body) buf_append_slice(conn_out(http->conn), body);
  on_response_ended(http);
  return HTTP_SENT;
}

enum http_send_status http_respond_head(struct http_conn *http, int status,
                                        const struct http_field *fields, size_t count) {
  return write_head(http, status, fields, count, LENGTH_UNKNOWN);
}

enum http_send_status http_respond_write(struct http_conn *http, struct slice data) {
  if (http->drops_body) return HTTP_SENT;
  struct buf *out = conn_out(http->conn);
  if (http->is_chunked)
    http_write_chunk(out, data);
  else
    buf_append_slice(out, data);
  return buf_len(out) > http->conn->worker->config->send_queue_bytes ? HTTP_SEND_FULL : HTTP_SENT;
}

void http_respond_end(struct http_conn *http) {
  if (http->is_ended) return;
  if (http->is_chunked && !http->drops_body) http_write_last_chunk(conn_out(http->conn));
  on_response_ended(http);
}

void http_respond_abort(struct http_conn *http) { conn_close(http->conn); }

// The server's own refusal: the app, if it knows the request, is told it is over.
static void refuse(struct http_conn *http, int status, const char *reason) {
  http->keeps_alive = false;
  http->body_is_complete = true;
  tell_app_closed(http);
  if (http->is_started) {
    // A complete answer still goes out; half of one must not look complete.
    if (http->is_ended)
      conn_finish(http->conn);
    else
      conn_close(http->conn);
    return;
  }
  struct buf *out = conn_out(http->conn);
  http_write_status(out, status);
  http_write_header(out, slice_str("Date"), slice_str(worker_date(http->conn->worker)));
  http_write_header(out, slice_str("Content-Type"), slice_str("text/plain; charset=utf-8"));
  http_write_length(out, strlen(reason) + 1);
  http_write_header(out, slice_str("Connection"), slice_str("close"));
  http_write_end(out);
  // Whatever else is wrong with it (RFC 9110 9.3.2).
  if (!slice_equal(http_parser_method(http->parser), slice_str("HEAD"))) {
    buf_append_str(out, reason);
    buf_append_char(out, '\n');
  }
  http->is_started = http->is_ended = true;
  conn_finish(http->conn);
}

// ---- receiving -----------------------------------------------------------

bool http_want_body(struct http_conn *http) {
  if (http->body_is_complete) return true;
  http->body_is_wanted = true;
  if (http_request(http)->expects_continue && !http->continue_sent && buf_len(&http->body) == 0) {
    http->continue_sent = true;
    buf_append_str(conn_out(http->conn), "HTTP/1.1 100 Continue\r\n\r\n");
  }
  return false;
}

static void on_head(struct http_conn *http) {
  struct conn *conn = http->conn;
  const struct http_request *request = http_request(http);
  http->in_request = true;
  http->keeps_alive = request->keep_alive;
  http->app_knows = true;
  stats_add(&conn->worker->stats->requests, 1);
  if (request->has_body)
    conn_set_deadline(conn, conn->worker->config->body_timeout_ms);
  else
    conn_set_timeout(conn, 0);
  http->body_is_complete = !request->has_body;
  app_of(http)->request(http);
}

static void on_done(struct http_conn *http) {
  struct conn *conn = http->conn;
  bool was_waited_for = http->body_is_wanted && http->app_knows && !http->body_is_complete;
  http->body_is_complete = true;
  conn_set_timeout(conn, 0);
  if (http->is_ended)
    finish_request(http);
  else if (was_waited_for)
    app_of(http)->request_body(http);
}

// True while the parser may be given more: not while a complete request waits
// for its answer.
static bool wants_input(const struct http_conn *http) {
  if (!conn_is_open(http->conn)) return false;
  return http->in_request ? !http->body_is_complete : !output_is_full(http);
}

static void handle_event(struct http_conn *http, enum http_event event, struct slice body) {
  switch (event) {
    case HTTP_MORE:
      break;
    case HTTP_HEAD:
      on_head(http);
      break;
    case HTTP_BODY:
      // Nobody will read it once the answer is out.
      if (!http->is_ended) buf_append_slice(&http->body, body);
      break;
    case HTTP_DONE:
      on_done(http);
      break;
    case HTTP_FAILED: {
      struct http_failure failure = http_parser_failure(http->parser);
      stats_add(&http->conn->worker->stats->bad_requests, 1);
      refuse(http, failure.status, failure.reason);
      break;
    }
  }
}

// Parses as far as it goes and returns how much was consumed. The connection
// may be in another protocol afterwards, and `http` gone.
static size_t parse(struct http_conn *http, struct slice in) {
  // Not http->conn: a handler may end HTTP on the connection.
  struct conn *conn = http->conn;
  size_t at = 0;
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
  }
  http->is_feeding = false;
  return at;
}

// What to do with what parse() left: keep it for later, and be patient only
// for so long or so much.
static void after_parse(struct http_conn *http) {
  struct conn *conn = http->conn;
  if (!conn_is_open(conn)) return;
  if (!http->in_request && !http->saw_input && !http_parser_is_idle(http->parser)) {
    http->saw_input = true;
    conn_set_deadline(conn, conn->worker->config->header_timeout_ms);
  }
  if (buf_len(&http->input) == 0) buf_free(&http->input);
  if (buf_len(&http->input) > PIPELINE_BYTES || output_is_full(http)) conn_set_reading(conn, false);
  if (conn->peer_ended && !http->in_request && !output_is_full(http)) conn_finish(conn);
}

static void on_data(struct conn *conn, char *data, size_t len) {
  struct http_conn *http = conn->proto.http;
  if (buf_len(&http->input) > 0) {
    // Earlier input waits for an answer, so this waits behind it.
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
  struct http_conn *http = conn->proto.http;
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

static void on_eof(struct conn *conn) {
  struct http_conn *http = conn->proto.http;
  // A client may end its side after the request and still wait for the answer.
  if (http->in_request && http->body_is_complete) return;
  // Or before it has read all of the answer.
  if (!http->in_request && output_is_full(http)) return;
  conn_finish(conn);
}

static void refuse_slow(struct http_conn *http, const char *what) {
  conn_count_slow(http->conn, &http->conn->worker->stats->slow_requests, what);
  refuse(http, 408, what);
}

static void on_timeout(struct conn *conn) {
  struct http_conn *http = conn->proto.http;
  if (http->in_request && !http->body_is_complete)
    refuse_slow(http, "the request body took too long");
  else if (http->saw_input)
    refuse_slow(http, "the request head took too long");
  else
    conn_close(conn);
}

static void on_rearm(struct conn *conn) {
  bool is_idle = !conn->proto.http->in_request;
  conn_set_timeout(conn, is_idle ? conn->worker->config->idle_timeout_ms : 0);
}

static void on_drained(struct conn *conn) {
  struct http_conn *http = conn->proto.http;
  if (!http->in_request) {
    conn_set_reading(conn, true);
    if (buf_len(&http->input) > 0 || conn->peer_ended) conn_go_on(conn);
  }
  if (http->app_knows && http->is_started) app_of(http)->request_drained(http);
}

static void on_stop(struct conn *conn) {
  struct http_conn *http = conn->proto.http;
  if (!http->in_request)
    conn_finish(conn);
  else
    http->keeps_alive = false;
}

static void http_free(struct http_conn *http) {
  http_parser_free(http->parser);
  free(http);
}

void http_conn_free_spares(struct worker *worker) {
  for (struct http_conn *http; (http = spares_take(&worker->spare_https)) != NULL;) http_free(http);
}

// Keeps the struct and its parser for another connection.
static void http_release(struct http_conn *http) {
  struct worker *worker = http->conn->worker;
  buf_free(&http->input);
  buf_free(&http->body);
  http_parser_reset(http->parser);
  *http = (struct http_conn){.parser = http->parser};
  if (!spares_give(&worker->spare_https, http)) http_free(http);
}

static struct http_conn *http_take(struct worker *worker) {
  struct http_conn *http = spares_take(&worker->spare_https);
  if (http != NULL) return http;
  http = mem_zalloc(sizeof *http);
  http->parser = http_parser_new(&worker->http_limits);
  return http;
}

// A part must not look like the whole. Where nothing but the end of the connection
// tells of a body's end, that end has to be an error (RFC 9112 8).
static bool is_cut(const struct http_conn *http) {
  return http->ends_by_close && (!http->is_ended || conn_out_bytes(http->conn) > 0);
}

static void on_close(struct conn *conn) {
  struct http_conn *http = conn->proto.http;
  if (is_cut(http)) sock_discard(&conn->sock);
  tell_app_closed(http);
  http_release(http);
}

struct buf http_conn_hand_over(struct http_conn *http) {
  tell_app_closed(http);
  struct buf input = http->input;
  http->input = (struct buf){0};
  http->conn->proto.http = NULL;
  http_release(http);
  return input;
}

static const struct conn_ops http_ops = {on_data,    on_eof,  on_timeout, on_rearm, on_go_on,
                                         on_drained, on_stop, conn_close, on_close};

void http_conn_start(struct conn *conn) {
  struct http_conn *http = http_take(conn->worker);
  http->conn = conn;
  conn->proto.http = http;
  conn->ops = &http_ops;
  conn_set_timeout(conn, conn->worker->config->header_timeout_ms);
}
