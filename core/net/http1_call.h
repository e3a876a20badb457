// A call of HTTP/1.1: the state of a connection that speaks it, and how a request on it is
// answered. http1.c has what the connection itself does: input, time, its end.
//
// The life of a call, with the function of each edge:
//
//   idle -- after_parse --> head -- on_head --> body -- on_done --> complete
//     ^      (saw_input)         (in_request)    |                     |
//     |                                          +--- app->request: the app answers at any time
//     |                                                                |
//     +-- http1_call_finish -- on_response_ended or on_done, whichever comes last
//
//   call_accept ends HTTP on the connection: a session has it from then on.
#ifndef TIDEGATE_NET_HTTP1_CALL_H
#define TIDEGATE_NET_HTTP1_CALL_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/app.h"
#include "net/http1_response.h"
#include "net/session.h"
#include "net/worker.h"

struct http1 {
  struct http_call call;
  struct session *session;  // whose connection this is
  struct http_parser *parser;
  struct buf input;  // not yet parsed
  struct buf body;
  size_t held;  // see worker_hold
  struct http1_response response;
  bool in_request : 1;  // from the head's end to the end of response and body
  bool app_knows : 1;   // app->request was called and request_closed was not
  bool body_is_complete : 1;
  bool body_is_wanted : 1;
  bool continue_sent : 1;
  bool is_feeding : 1;  // parse() is on the stack
  bool saw_input : 1;   // the first byte of the next request has come
  bool drops_body : 1;  // the answer ends the connection: the rest of the body is not waited for
};

static inline struct conn *http1_conn(const struct http1 *http) { return &http->session->conn; }

// Of the worker's spares, or new; without a session.
struct http1 *http1_call_take(struct worker *worker);
// Keeps the struct and its parser for another connection; the session's has no HTTP from then on.
void http1_call_release(struct http1 *http);
void http1_call_free_spares(struct worker *worker);

// A client that asks and asks and never reads is not answered into memory.
static inline bool http1_call_output_is_full(const struct http1 *http) {
  return conn_out_bytes(http1_conn(http)) > http->call.worker->config->send_queue_bytes;
}

// Counts what the connection's input holds. False when it asks for more than is left of
// message_memory.
bool http1_call_hold(struct http1 *http);

// Tells the app that the request is over, unless it knows.
void http1_call_tell_closed(struct http1 *http);

// Response and body are both through: on to the next request, or the end.
void http1_call_finish(struct http1 *http);

#endif
