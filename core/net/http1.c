// HTTP/1.1 on a connection: see http1.h. The parser pulls one event at a time
// out of the input, so answering, pausing and upgrading all happen between
// two events.
//
// The life of a call, with the function of each edge:
//
//   idle -- after_parse --> head -- on_head --> body -- on_done --> complete
//     ^      (saw_input)         (in_request)    |                     |
//     |                                          +--- app->request: the app answers at any time
//     |                                                                |
//     +-- finish_request -- on_response_ended or on_done, whichever comes last
//
//   call_accept ends HTTP on the connection: a session has it from then on.
#include "net/http1.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/app.h"
#include "net/http1_response.h"
#include "net/session.h"
#include "net/worker.h"
#include "proto/http_response.h"

// How much of later requests may wait while one is being answered.
enum { PIPELINE_BYTES = 65536 };

struct http1 {
  struct http_call call;
  struct session *session;  // whose connection this is
  struct http_parser *parser;
  struct buf input;  // not yet parsed
  struct buf body;
  struct http1_response response;
  bool in_request : 1;  // from the head's end to the end of response and body
  bool app_knows : 1;   // app->request was called and request_closed was not
  bool body_is_complete : 1;
  bool body_is_wanted : 1;
  bool continue_sent : 1;
  bool is_feeding : 1;  // parse() is on the stack
  bool saw_input : 1;   // the first byte of the next request has come
};

static struct http1 *http_of(const struct conn *conn) { return session_of(conn)->state.http1; }

static struct http1 *of_call(const struct http_call *call) {
  return list_entry(call, struct http1, call);
}

static struct conn *conn_of(const struct http1 *http) { return &http->session->conn; }

static const struct worker *worker_of(const struct http1 *http) { return http->call.worker; }

static const struct app *app_of(const struct http1 *http) { return http->call.worker->app; }

static struct buf *out_of(const struct http1 *http) { return conn_out(conn_of(http)); }

static const struct conn_ops http1_ops;

// False once a session has taken the connection over: `http` is gone then.
static bool speaks_http(const struct conn *conn) { return conn->ops == &http1_ops; }

// ---- the end of a request ------------------------------------------------

static void tell_app_closed(struct http1 *http) {
  if (!http->app_knows) return;
  http->app_knows = false;
  app_of(http)->request_closed(&http->call);
  http->call.app = NULL;
}

// A client that asks and asks and never reads is not answered into memory.
static bool output_is_full(const struct http1 *http) {
  return conn_out_bytes(conn_of(http)) > worker_of(http)->config->send_queue_bytes;
}

static void reset_request(struct http1 *http) {
  http_parser_reset(http->parser);
  buf_free(&http->body);
  http->in_request = http->body_is_complete = http->body_is_wanted = http->continue_sent = false;
  http->saw_input = false;
  http->response = (struct http1_response){0};
}

// Response and body are both through: on to the next request, or the end.
static void finish_request(struct http1 *http) {
  struct conn *conn = conn_of(http);
  if (!http->response.keeps_alive || conn->worker->is_stopping) {
    conn_finish(conn);
    return;
  }
  reset_request(http);
  if (!output_is_full(http)) conn_set_reading(conn, true);
  conn_set_timeout(conn, conn->worker->config->idle_timeout_ms);
  // Requests that came meanwhile, or the end of a client that has ended its side.
  if (!http->is_feeding && (buf_len(&http->input) > 0 || conn_has_ended(conn))) conn_go_on(conn);
}

// A client that waits for "100 Continue" and gets a final answer may or may not
// send the body: only closing is unambiguous.
static bool awaits_continue(const struct http1 *http) {
  return !http->body_is_complete && http->call.request->expects_continue && !http->continue_sent;
}

static void on_response_ended(struct http1 *http) {
  http->response.is_ended = true;
  tell_app_closed(http);
  if (http->body_is_complete || awaits_continue(http)) finish_request(http);
}

// ---- what a call does: struct http_call_ops ------------------------------

static uint64_t call_id(const struct http_call *call) { return session_id(of_call(call)->session); }

static void call_peer(const struct http_call *call, char *out, size_t size) {
  conn_peer(conn_of(of_call(call)), out, size);
}

static bool call_want_body(struct http_call *call) {
  struct http1 *http = of_call(call);
  if (http->body_is_complete) return true;
  http->body_is_wanted = true;
  if (call->request->expects_continue && !http->continue_sent && buf_len(&http->body) == 0) {
    http->continue_sent = true;
    buf_append_str(out_of(http), "HTTP/1.1 100 Continue\r\n\r\n");
  }
  return false;
}

static struct slice call_body(const struct http_call *call) {
  return buf_slice(&of_call(call)->body);
}

static bool call_is_started(const struct http_call *call) {
  return of_call(call)->response.is_started;
}

static enum http_send_status begin_head(struct http1 *http, int status,
                                        const struct http_field *fields, size_t count) {
  return http1_response_begin(&http->response, out_of(http), worker_date(http->call.worker), status,
                              fields, count);
}

static enum http_send_status write_head(struct http1 *http, int status,
                                        const struct http_field *fields, size_t count,
                                        int64_t length) {
  enum http_send_status sent = begin_head(http, status, fields, count);
  if (sent != HTTP_SENT) return sent;
  if (worker_of(http)->is_stopping || awaits_continue(http)) http->response.keeps_alive = false;
  http1_response_end_head(&http->response, out_of(http), http->call.request, status, fields, count,
                          length);
  return HTTP_SENT;
}

static enum http_send_status call_respond(struct http_call *call, int status,
                                          const struct http_field *fields, size_t count,
                                          struct slice body) {
  struct http1 *http = of_call(call);
  enum http_send_status sent = write_head(http, status, fields, count, (int64_t)body.len);
  if (sent != HTTP_SENT) return sent;
  if (!http->response.drops_body) buf_append_slice(out_of(http), body);
  on_response_ended(http);
  return HTTP_SENT;
}

static enum http_send_status call_respond_head(struct http_call *call, int status,
                                               const struct http_field *fields, size_t count) {
  return write_head(of_call(call), status, fields, count, HTTP1_LENGTH_UNKNOWN);
}

static enum http_send_status call_respond_write(struct http_call *call, struct slice data) {
  struct http1 *http = of_call(call);
  if (http->response.drops_body) return HTTP_SENT;
  http1_response_write(&http->response, out_of(http), data);
  return output_is_full(http) ? HTTP_SEND_FULL : HTTP_SENT;
}

static void call_respond_end(struct http_call *call) {
  struct http1 *http = of_call(call);
  if (http->response.is_ended) return;
  http1_response_end(&http->response, out_of(http));
  on_response_ended(http);
}

// With a reset where its end would be the body's, too: see is_cut.
static void call_respond_abort(struct http_call *call) { conn_close(conn_of(of_call(call))); }

static void http1_release(struct http1 *http);

static enum http_send_status call_accept(struct http_call *call,
                                         const struct http_acceptance *acceptance,
                                         struct session **session, struct buf *early) {
  struct http1 *http = of_call(call);
  enum http_send_status sent =
      begin_head(http, acceptance->status, acceptance->fields, acceptance->field_count);
  if (sent != HTTP_SENT) return sent;
  struct buf *out = out_of(http);
  for (size_t i = 0; i < acceptance->own_count; i++)
    http_write_header(out, acceptance->own[i].name, acceptance->own[i].value);
  http_write_end(out);
  tell_app_closed(http);
  *early = http->input;
  http->input = (struct buf){0};
  *session = http->session;
  http1_release(http);
  return HTTP_SENT;
}

static const struct http_call_ops call_ops = {
    .want_body = call_want_body,
    .body = call_body,
    .is_started = call_is_started,
    .id = call_id,
    .peer = call_peer,
    .respond = call_respond,
    .respond_head = call_respond_head,
    .respond_write = call_respond_write,
    .respond_end = call_respond_end,
    .respond_abort = call_respond_abort,
    .accept = call_accept,
};

// The server's own refusal: the app, if it knows the request, is told it is over.
static void refuse(struct http1 *http, int status, const char *reason) {
  struct conn *conn = conn_of(http);
  http->response.keeps_alive = false;
  http->body_is_complete = true;
  tell_app_closed(http);
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
  struct conn *conn = conn_of(http);
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
  conn_set_timeout(conn_of(http), 0);
  if (http->response.is_ended)
    finish_request(http);
  else if (was_waited_for)
    app_of(http)->request_body(&http->call);
}

// True while the parser may be given more: not while a complete request waits
// for its answer.
static bool wants_input(const struct http1 *http) {
  if (!conn_is_open(conn_of(http))) return false;
  return http->in_request ? !http->body_is_complete : !output_is_full(http);
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
      if (!http->response.is_ended) buf_append_slice(&http->body, body);
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

// Parses as far as it goes and returns how much was consumed. The connection
// may be in another protocol afterwards, and `http` gone.
static size_t parse(struct http1 *http, struct slice in) {
  // Not through http: a handler may end HTTP on the connection.
  struct conn *conn = conn_of(http);
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
static void after_parse(struct http1 *http) {
  struct conn *conn = conn_of(http);
  if (!conn_is_open(conn)) return;
  if (!http->in_request && !http->saw_input && !http_parser_is_idle(http->parser)) {
    http->saw_input = true;
    conn_set_deadline(conn, conn->worker->config->header_timeout_ms);
  }
  if (buf_len(&http->input) == 0) buf_free(&http->input);
  if (buf_len(&http->input) > PIPELINE_BYTES || output_is_full(http)) conn_set_reading(conn, false);
  if (conn_has_ended(conn) && !http->in_request && !output_is_full(http)) conn_finish(conn);
}

static void on_data(struct conn *conn, char *data, size_t len) {
  struct http1 *http = http_of(conn);
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

static void on_eof(struct conn *conn) {
  struct http1 *http = http_of(conn);
  // A client may end its side after the request and still wait for the answer.
  if (http->in_request && http->body_is_complete) return;
  // Or before it has read all of the answer.
  if (!http->in_request && output_is_full(http)) return;
  conn_finish(conn);
}

// ---- time and the end ----------------------------------------------------

static void refuse_slow(struct http1 *http, const char *what) {
  session_count_slow(http->session, &worker_of(http)->stats->slow_requests, what);
  refuse(http, 408, what);
}

static void on_timeout(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (http->in_request && !http->body_is_complete)
    refuse_slow(http, "the request body took too long");
  else if (http->saw_input)
    refuse_slow(http, "the request head took too long");
  else
    conn_close(conn);
}

static void on_rearm(struct conn *conn) {
  bool is_idle = !http_of(conn)->in_request;
  conn_set_timeout(conn, is_idle ? conn->worker->config->idle_timeout_ms : 0);
}

static void on_drained(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (!http->in_request) {
    conn_set_reading(conn, true);
    if (buf_len(&http->input) > 0 || conn_has_ended(conn)) conn_go_on(conn);
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

static void http1_free(struct http1 *http) {
  http_parser_free(http->parser);
  free(http);
}

void http1_free_spares(struct worker *worker) {
  for (struct http1 *http; (http = spares_take(&worker->spare_calls)) != NULL;) http1_free(http);
}

// Keeps the struct and its parser for another connection.
static void http1_release(struct http1 *http) {
  struct worker *worker = http->call.worker;
  http->session->state.http1 = NULL;
  buf_free(&http->input);
  buf_free(&http->body);
  http_parser_reset(http->parser);
  *http = (struct http1){.call = http->call, .parser = http->parser};
  if (!spares_give(&worker->spare_calls, http)) http1_free(http);
}

static struct http1 *http1_take(struct worker *worker) {
  struct http1 *http = spares_take(&worker->spare_calls);
  if (http != NULL) return http;
  http = mem_zalloc(sizeof *http);
  http->parser = http_parser_new(&worker->http_limits);
  http->call = (struct http_call){&call_ops, worker, http_parser_request(http->parser), NULL};
  return http;
}

// A part must not look like the whole. Where nothing but the end of the connection
// tells of a body's end, that end has to be an error (RFC 9112 8).
static bool is_cut(const struct http1 *http) {
  return http->response.ends_by_close &&
         (!http->response.is_ended || conn_out_bytes(conn_of(http)) > 0);
}

static void on_close(struct conn *conn) {
  struct http1 *http = http_of(conn);
  if (is_cut(http)) sock_discard(&conn->sock);
  tell_app_closed(http);
  http1_release(http);
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
  struct http1 *http = http1_take(worker);
  http->session = session_new(worker, fd, &http1_ops);
  http->session->state.http1 = http;
  conn_set_timeout(conn_of(http), worker->config->header_timeout_ms);
}
