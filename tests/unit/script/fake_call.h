// A request without a connection: a struct http_call that writes down how it is answered,
// and hands in a body when the test says so. A session it becomes has a fake peer.
#ifndef TIDEGATE_TESTS_FAKE_CALL_H
#define TIDEGATE_TESTS_FAKE_CALL_H

#include "net/fake_peer.h"
#include "net/app.h"
#include "proto/http_parse.h"
#include "proto/http_response.h"

struct fake_call {
  struct http_call call;
  struct http_parser *parser;
  int status;         // 0: no head yet
  struct buf fields;  // "Name: value\n" each
  struct buf body;    // of the answer
  struct buf upload;  // of the request
  bool has_upload;    // it is complete
  bool wants_body;
  bool is_full;  // what is written now is more than may wait
  bool is_ended, is_aborted;
  bool is_over;            // the app was told
  struct fake_peer *peer;  // of the session that it became
};

static inline struct fake_call *fake_call_of(const struct http_call *call) {
  return list_entry(call, struct fake_call, call);
}

// The request is over: answered, or its peer has gone.
static inline void fake_call_close(struct fake_call *call) {
  if (call->is_over) return;
  call->is_over = true;
  call->call.worker->app->request_closed(&call->call);
}

static inline bool fake_call_want_body(struct http_call *http) {
  struct fake_call *call = fake_call_of(http);
  call->wants_body = true;
  return call->has_upload;
}

static inline struct slice fake_call_body(const struct http_call *http) {
  return buf_slice(&fake_call_of(http)->upload);
}

static inline bool fake_call_is_started(const struct http_call *http) {
  return fake_call_of(http)->status != 0;
}

static inline uint64_t fake_call_id(const struct http_call *http) {
  (void)http;
  return 77;
}

static inline void fake_call_peer(const struct http_call *http, char *out, size_t size) {
  (void)http;
  snprintf(out, size, "fake");
}

static inline enum http_send_status fake_call_head(struct http_call *http, int status,
                                                   const struct http_field *fields, size_t count) {
  struct fake_call *call = fake_call_of(http);
  if (call->status != 0) return HTTP_SEND_STARTED;
  for (size_t i = 0; i < count; i++) {
    if (!http_header_name_is_valid(fields[i].name) ||
        !http_header_value_is_valid(fields[i].value) || http_field_is_own(fields[i].name))
      return HTTP_SEND_BAD_FIELD;
  }
  for (size_t i = 0; i < count; i++)
    buf_printf(&call->fields, "%.*s: %.*s\n", (int)fields[i].name.len, fields[i].name.ptr,
               (int)fields[i].value.len, fields[i].value.ptr);
  call->status = status;
  return HTTP_SENT;
}

static inline void fake_call_end(struct http_call *http) {
  struct fake_call *call = fake_call_of(http);
  if (call->is_ended) return;
  call->is_ended = true;
  fake_call_close(call);
}

static inline enum http_send_status fake_call_respond(struct http_call *http, int status,
                                                      const struct http_field *fields, size_t count,
                                                      struct slice body) {
  enum http_send_status sent = fake_call_head(http, status, fields, count);
  if (sent != HTTP_SENT) return sent;
  buf_append_slice(&fake_call_of(http)->body, body);
  fake_call_end(http);
  return HTTP_SENT;
}

static inline enum http_send_status fake_call_write(struct http_call *http, struct slice data) {
  struct fake_call *call = fake_call_of(http);
  buf_append_slice(&call->body, data);
  return call->is_full ? HTTP_SEND_FULL : HTTP_SENT;
}

static inline void fake_call_abort(struct http_call *http) {
  fake_call_of(http)->is_aborted = true;
  fake_call_close(fake_call_of(http));
}

static inline enum http_send_status fake_call_accept(struct http_call *http,
                                                     const struct http_acceptance *acceptance,
                                                     struct session **session, struct buf *early) {
  static const struct conn_ops none = {0};  // until the protocol begins
  struct fake_call *call = fake_call_of(http);
  enum http_send_status sent =
      fake_call_head(http, acceptance->status, acceptance->fields, acceptance->field_count);
  if (sent != HTTP_SENT) return sent;
  for (size_t i = 0; i < acceptance->own_count; i++)
    buf_printf(&call->fields, "%.*s: %.*s\n", (int)acceptance->own[i].name.len,
               acceptance->own[i].name.ptr, (int)acceptance->own[i].value.len,
               acceptance->own[i].value.ptr);
  call->is_ended = true;
  fake_call_close(call);
  call->peer = fake_peer_new(http->worker, &none);
  *session = call->peer->session;
  *early = (struct buf){0};
  return HTTP_SENT;
}

static const struct http_call_ops fake_call_ops = {
    .want_body = fake_call_want_body,
    .body = fake_call_body,
    .is_started = fake_call_is_started,
    .id = fake_call_id,
    .peer = fake_call_peer,
    .respond = fake_call_respond,
    .respond_head = fake_call_head,
    .respond_write = fake_call_write,
    .respond_end = fake_call_end,
    .respond_abort = fake_call_abort,
    .accept = fake_call_accept,
};

// ---- for tests -----------------------------------------------------------------

// "GET /x" and header lines "Name: value\r\n" beside Host, perhaps none.
static inline struct fake_call *fake_call_new(struct worker *worker, const char *line,
                                              const char *headers) {
  struct fake_call *call = mem_zalloc(sizeof *call);
  char *head = mem_format("%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers);
  size_t consumed;
  struct slice body;
  call->parser = http_parser_new(&worker->http_limits);
  assert_int_equal(http_parser_feed(call->parser, slice_str(head), &consumed, &body), HTTP_HEAD);
  free(head);
  call->call = (struct http_call){&fake_call_ops, worker, http_parser_request(call->parser), NULL};
  return call;
}

// The head has come.
static inline struct fake_call *fake_call_start(struct worker *worker, const char *line,
                                                const char *headers) {
  struct fake_call *call = fake_call_new(worker, line, headers);
  worker->app->request(&call->call);
  return call;
}

// The body has come.
static inline void fake_call_upload(struct fake_call *call, const char *body) {
  buf_append_str(&call->upload, body);
  call->has_upload = true;
  if (call->wants_body && !call->is_over) call->call.worker->app->request_body(&call->call);
}

static inline void fake_call_free(struct fake_call *call) {
  fake_call_close(call);
  http_parser_free(call->parser);
  buf_free(&call->fields);
  buf_free(&call->body);
  buf_free(&call->upload);
  free(call);
}

static inline const char *fake_call_text(struct buf *buf) {
  buf_append_char(buf, '\0');
  buf_chop(buf, 1);
  return buf->data + buf->start;
}

static inline void expect_answer(struct fake_call *call, int status, const char *body) {
  if (!call->is_ended)
    fail_msg("no answer to %.*s", (int)call->call.request->target.len,
             call->call.request->target.ptr);
  assert_int_equal(call->status, status);
  assert_string_equal(fake_call_text(&call->body), body);
}

#endif
