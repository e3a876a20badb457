// What a call of HTTP/1.1 does: see http1_call.h. It implements struct http_call of app.h.
#include "net/http1_call.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/http_response.h"

static struct http1 *of_call(const struct http_call *call) {
  return list_entry(call, struct http1, call);
}

static const struct worker *worker_of(const struct http1 *http) { return http->call.worker; }

static const struct app *app_of(const struct http1 *http) { return http->call.worker->app; }

static struct buf *out_of(const struct http1 *http) { return conn_out(http1_conn(http)); }

// ---- the end of a request ------------------------------------------------

void http1_call_tell_closed(struct http1 *http) {
  if (!http->app_knows) return;
  http->app_knows = false;
  app_of(http)->request_closed(&http->call);
  http->call.app = NULL;
}

bool http1_call_hold(struct http1 *http) {
  size_t bytes = http->body.cap + http->input.cap + http_parser_held(http->parser);
  return worker_hold(http->call.worker, &http->held, bytes);
}

static void reset_request(struct http1 *http) {
  http_parser_reset(http->parser);
  buf_free(&http->body);
  if (http->held > 0) http1_call_hold(http);
  http->in_request = http->body_is_complete = http->body_is_wanted = http->continue_sent = false;
  http->saw_input = false;
  http->response = (struct http1_response){0};
}

void http1_call_finish(struct http1 *http) {
  struct conn *conn = http1_conn(http);
  if (!http->response.keeps_alive || conn->worker->is_stopping) {
    conn_finish(conn);
    return;
  }
  reset_request(http);
  if (!http1_call_output_is_full(http)) conn_set_reading(conn, true);
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
  http1_call_tell_closed(http);
  if (http->body_is_complete || http->drops_body || awaits_continue(http)) http1_call_finish(http);
}

// ---- what a call does: struct http_call_ops ------------------------------

static uint64_t call_id(const struct http_call *call) { return session_id(of_call(call)->session); }

static void call_peer(const struct http_call *call, char *out, size_t size) {
  conn_peer(http1_conn(of_call(call)), out, size);
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

// A GET whose content means nothing, and an upgrade that comes with content, may be a second
// request that something between the client and us took for a body, or the other way round
// (RFC 9110 9.3.1, 7.8). When that is refused nothing behind it is read.
static bool is_like_smuggling(const struct http1 *http, int status) {
  const struct http_request *request = http->call.request;
  if (!request->has_body) return false;
  bool means_nothing = request->method == HTTP_METHOD_GET || request->method == HTTP_METHOD_HEAD;
  return (means_nothing && status >= 400) || http_request_header(request, "upgrade").ptr != NULL;
}

static enum http_send_status write_head(struct http1 *http, int status,
                                        const struct http_field *fields, size_t count,
                                        int64_t length) {
  enum http_send_status sent = begin_head(http, status, fields, count);
  if (sent != HTTP_SENT) return sent;
  http->drops_body = is_like_smuggling(http, status);
  if (worker_of(http)->is_stopping || awaits_continue(http) || http->drops_body)
    http->response.keeps_alive = false;
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
  return http1_call_output_is_full(http) ? HTTP_SEND_FULL : HTTP_SENT;
}

static void call_respond_end(struct http_call *call) {
  struct http1 *http = of_call(call);
  if (http->response.is_ended) return;
  http1_response_end(&http->response, out_of(http));
  on_response_ended(http);
}

// With a reset where its end would be the body's, too: see is_cut.
static void call_respond_abort(struct http_call *call) { conn_close(http1_conn(of_call(call))); }

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
  http1_call_tell_closed(http);
  *early = http->input;
  http->input = (struct buf){0};
  *session = http->session;
  http1_call_release(http);
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

// ---- the spares ------------------------------------------------------------

static void http1_free(struct http1 *http) {
  http_parser_free(http->parser);
  free(http);
}

void http1_call_free_spares(struct worker *worker) {
  for (struct http1 *http; (http = spares_take(&worker->spare_calls)) != NULL;) http1_free(http);
}

// Keeps the struct and its parser for another connection.
void http1_call_release(struct http1 *http) {
  struct worker *worker = http->call.worker;
  http->session->state.http1 = NULL;
  buf_free(&http->input);
  buf_free(&http->body);
  http_parser_reset(http->parser);
  worker_hold(worker, &http->held, 0);
  *http = (struct http1){.call = http->call, .parser = http->parser};
  if (!spares_give(&worker->spare_calls, http)) http1_free(http);
}

struct http1 *http1_call_take(struct worker *worker) {
  struct http1 *http = spares_take(&worker->spare_calls);
  if (http != NULL) return http;
  http = mem_zalloc(sizeof *http);
  http->parser = http_parser_new(&worker->http_limits);
  http->call = (struct http_call){&call_ops, worker, http_parser_request(http->parser), NULL};
  return http;
}
