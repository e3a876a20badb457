// The seam between server and scripts: what the server calls when something
// happens, and the call through which a request is answered. Carries C slices,
// never Lua values; script/ fills it in for Lua, tests plug a plain C app into it.
//
// Two things are handed out. A *call* is a request and its answer, on whatever
// transport. A *session* (session.h) is a WebSocket or an event stream, which a
// call became. Never a connection: of these HTTP/2 puts many of both on one.
//
// All callbacks of one worker are called on its thread. None may block. Slices
// are borrowed for the callback. A call and a session are valid until the
// callback that says it is over, whatever the app calls on it meanwhile.
#ifndef TIDEGATE_NET_APP_H
#define TIDEGATE_NET_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "base/slice.h"

struct buf;
struct http_call;
struct http_request;
struct session;
struct worker;

struct app {
  // Life of a worker's share of the app; worker_app(worker) gives what start
  // returned. start is called before the loop runs, on the main thread; NULL
  // means failure. stop is called when all connections are gone.
  void *(*worker_start)(struct worker *worker, void *ctx);
  void (*worker_stop)(void *state);
  void *ctx;

  // The head of a request is complete: answer now or later, with the functions below.
  void (*request)(struct http_call *call);
  // The body that http_want_body asked for is complete: http_body(call).
  void (*request_body)(struct http_call *call);
  // What was written of a response in pieces has gone down to the socket.
  void (*request_drained)(struct http_call *call);
  // The request is over (answered, refused by the server, or the peer left):
  // the call is not to be used any more.
  void (*request_closed)(struct http_call *call);

  // A session exists from ws_accept or sse_accept on. A whole message arrived:
  void (*message)(struct session *session, enum message_kind kind, struct slice data);
  // The session missed `missed` messages of a topic. What the app sends to it in this
  // call goes out before the messages behind the gap; with the policy close there
  // are none, and the session is closed next.
  void (*gap)(struct session *session, struct slice topic, uint64_t missed);
  // All direct output has gone down to the socket: called once after each time
  // that some was queued, unless the session ends before.
  void (*drained)(struct session *session);
  // The session is over. code: the WebSocket close code (of the peer's close
  // frame; ours when the peer did not answer it; 1006 when the connection broke
  // without one), 0 for SSE. The session is not to be used any more.
  void (*closed)(struct session *session, int code, struct slice reason);
};

// ---- a call --------------------------------------------------------------

struct http_field {
  struct slice name;
  struct slice value;
};

enum http_send_status {
  HTTP_SENT = 0,
  HTTP_SEND_FULL =
      -1,  // more than the send queue's bound is waiting: wait for app->request_drained
  HTTP_SEND_STARTED = -2,    // the response has started already
  HTTP_SEND_BAD_FIELD = -3,  // a header name or value that HTTP forbids
};

// What a call turns into a session with (http_accept).
struct http_acceptance {
  int status;                       // as HTTP/1.1 says it: 101, 200
  const struct http_field *fields;  // of the app: checked
  size_t field_count;
  const struct http_field *own;  // of the session's protocol: written as they are
  size_t own_count;
};

// What a transport does for a call: HTTP/1.1's are in http1_call.c. The functions
// below, which apps call, say what each means.
struct http_call_ops {
  bool (*want_body)(struct http_call *call);
  struct slice (*body)(const struct http_call *call);
  bool (*is_started)(const struct http_call *call);
  uint64_t (*id)(const struct http_call *call);
  void (*peer)(const struct http_call *call, char *out, size_t size);
  enum http_send_status (*respond)(struct http_call *call, int status,
                                   const struct http_field *fields, size_t count,
                                   struct slice body);
  enum http_send_status (*respond_head)(struct http_call *call, int status,
                                        const struct http_field *fields, size_t count);
  enum http_send_status (*respond_write)(struct http_call *call, struct slice data);
  void (*respond_end)(struct http_call *call);
  void (*respond_abort)(struct http_call *call);
  enum http_send_status (*accept)(struct http_call *call, const struct http_acceptance *acceptance,
                                  struct session **session, struct buf *early);
};

// A request and its answer. Embedded in the transport's own state of it.
struct http_call {
  const struct http_call_ops *ops;
  struct worker *worker;
  const struct http_request *request;  // its head (proto/http_request.h): while the call is valid
  void *app;                           // the app's own pointer; NULL at first
};

// The number of the connection that brought the request: unique in the process.
static inline uint64_t http_conn_id(const struct http_call *call) { return call->ops->id(call); }
// The peer's address: "127.0.0.1", "::1", or "unix". out has at least 64 bytes.
static inline void http_peer(const struct http_call *call, char *out, size_t size) {
  call->ops->peer(call, out, size);
}

// Asks for the request's body. True: it is complete, http_body gives it.
// False: app->request_body will be called (after "100 Continue" was sent when
// the client waits for it), or request_closed when it never comes whole.
static inline bool http_want_body(struct http_call *call) { return call->ops->want_body(call); }
// Borrowed until the request is over.
static inline struct slice http_body(const struct http_call *call) { return call->ops->body(call); }

// Whether the head of a response has been written.
static inline bool http_is_started(const struct http_call *call) {
  return call->ops->is_started(call);
}

// Sends a whole response; the request is over (request_closed is called before
// this returns). The body is left out for HEAD, 204, 205 and 304. Content-Length,
// Date and Connection are the server's own; fields named so are refused.
// HTTP_SENT, HTTP_SEND_STARTED or HTTP_SEND_BAD_FIELD.
static inline enum http_send_status http_respond(struct http_call *call, int status,
                                                 const struct http_field *fields, size_t count,
                                                 struct slice body) {
  return call->ops->respond(call, status, fields, count, body);
}

// A response in pieces: head, any number of writes, end. Chunked for HTTP/1.1,
// ended by closing for HTTP/1.0.
static inline enum http_send_status http_respond_head(struct http_call *call, int status,
                                                      const struct http_field *fields,
                                                      size_t count) {
  return call->ops->respond_head(call, status, fields, count);
}
// HTTP_SENT or HTTP_SEND_FULL.
static inline enum http_send_status http_respond_write(struct http_call *call, struct slice data) {
  return call->ops->respond_write(call, data);
}
// The request is over, as in http_respond.
static inline void http_respond_end(struct http_call *call) { call->ops->respond_end(call); }
// Ends a response that cannot be completed, so that what was sent does not look whole.
static inline void http_respond_abort(struct http_call *call) { call->ops->respond_abort(call); }

// For ws.c and sse.c: answers with a head alone and ends the call, as in http_respond.
// *session is what carries the bytes from now on, with no protocol of its own yet;
// *early the input that came already, which is the caller's, or empty.
// HTTP_SENT, HTTP_SEND_STARTED or HTTP_SEND_BAD_FIELD.
static inline enum http_send_status http_accept(struct http_call *call,
                                                const struct http_acceptance *acceptance,
                                                struct session **session, struct buf *early) {
  return call->ops->accept(call, acceptance, session, early);
}

#endif
