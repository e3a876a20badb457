// The seam between server and scripts: what the server calls when something
// happens on a connection. Carries C slices, never Lua values; script/ fills
// it in for Lua, tests plug a plain C app into it.
//
// All callbacks of one worker are called on its thread. None may block. Slices
// are borrowed for the call. A handle (`http`, `conn`) is valid until the
// callback that says it is over, whatever the app calls on it meanwhile.
#ifndef TIDEGATE_NET_APP_H
#define TIDEGATE_NET_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "base/slice.h"

struct conn;
struct http_conn;
struct worker;

struct app {
  // Life of a worker's share of the app; worker_app(worker) gives what start
  // returned. start is called before the loop runs, on the main thread; NULL
  // means failure. stop is called when all connections are gone.
  void *(*worker_start)(struct worker *worker, void *ctx);
  void (*worker_stop)(void *state);
  void *ctx;

  // The head of a request is complete: answer now or later, with the
  // functions of http_conn.h.
  void (*request)(struct http_conn *http);
  // The body that http_want_body asked for is complete: http_body(http).
  void (*request_body)(struct http_conn *http);
  // What was written of a response in pieces has gone down to the socket.
  void (*request_drained)(struct http_conn *http);
  // The request is over (answered, refused by the server, or the peer left):
  // the handle is not to be used any more.
  void (*request_closed)(struct http_conn *http);

  // A session exists from ws_accept or sse_accept on. A whole message arrived:
  void (*message)(struct conn *conn, enum message_kind kind, struct slice data);
  // The session missed `missed` messages of a topic. What the app sends to it in this
  // call goes out before the messages behind the gap; with the policy close there
  // are none, and the session is closed next.
  void (*gap)(struct conn *conn, struct slice topic, uint64_t missed);
  // All direct output has gone down to the socket: called once after each time
  // that some was queued, unless the session ends before.
  void (*drained)(struct conn *conn);
  // The session is over. code: the WebSocket close code (of the peer's close
  // frame; ours when the peer did not answer it; 1006 when the connection broke
  // without one), 0 for SSE. The handle is not to be used any more.
  void (*closed)(struct conn *conn, int code, struct slice reason);
};

#endif
