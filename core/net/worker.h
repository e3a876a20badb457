// A worker: a thread with its own loop, listeners, connections, timer wheel and
// hub port. A connection lives and dies on one worker; nothing here is locked
// but the mailbox. What it does in a loop turn is in turn.h.
#ifndef TIDEGATE_NET_WORKER_H
#define TIDEGATE_NET_WORKER_H

#include <pthread.h>
#include <uv.h>

#include "base/config.h"
#include "base/wheel.h"
#include "hub/hub.h"
#include "net/app.h"
#include "net/listen.h"
#include "net/poll.h"
#include "net/refusal.h"
#include "net/spares.h"
#include "net/stats.h"
#include "net/turn.h"
#include "proto/http_parse.h"
#include "proto/http_response.h"
#include "proto/ws_deflate.h"

enum { WORKER_READ_BYTES = 65536 };

// A call to make on a worker's thread.
struct worker_call {
  struct worker_call *next;
  void (*run)(struct worker *worker, void *arg);
  void *arg;
};

// A gap that the hub told during a drain, kept for the app until after it. So
// long the connection gets none of the messages behind it.
struct pending_gap {
  struct conn *conn;
  char *topic;
  size_t topic_len;
  uint64_t missed;
  bool is_end;  // policy `close`
};

struct worker {
  unsigned index;
  const struct config *config;
  const struct app *app;
  void *app_state;
  struct stats *stats;
  struct hub *hub;
  struct hub_port *port;
  struct http_limits http_limits;

  struct poll poll;
  struct wheel wheel;
  uint64_t now_ms;  // of this turn, monotonic
  // For what the app runs on libuv: it is run when something is ready on it.
  // Handles must be referenced, and closed by app->worker_stop.
  uv_loop_t loop;
  struct poll_watch loop_watch;
  pthread_t thread;
  bool has_thread;

  pthread_mutex_t mailbox_lock;
  struct worker_call *mailbox, **mailbox_tail;

  struct listener *listeners;  // one per address
  size_t listener_count;

  struct conn_array conns;      // all open connections; conn->index is the place
  struct conn_array dirty;      // have output to flush, or input to go on with
  struct conn_array later;      // have input to go on with in the next turn
  struct conn_array closing;    // to be closed at the end of the turn
  struct conn_array gone;       // closed, to be freed when the turn has nothing left to do
  struct refusals refusals;     // of connections beyond the limit
  struct spares spare_outputs;  // struct output, empty
  struct spares spare_https;    // struct http_conn, as new
  struct pending_gap *gaps;
  size_t gap_count, gap_cap;
  uint64_t next_conn_id;
  uint64_t started_ms;
  bool is_stopping;
  struct wheel_timer grace_timer;
  struct wheel_timer sweep_timer;

  char date[HTTP_DATE_BYTES];
  int64_t date_second;
  char *read_buffer;  // WORKER_READ_BYTES, shared by all connections

  // For all messages without context: topic messages and direct ones.
  struct ws_deflater *deflater;
  struct ws_inflater *inflater;  // see ws_parser_feed
  uint64_t context_bytes;        // of the contexts that connections keep

  struct list unfinished;  // see ws_unfinished.h
  uint64_t unfinished_bytes;
  struct wheel_timer unfinished_timer;
};

// Prepares a worker (loop, port, listeners bound but not yet accepting).
// `listeners` is taken over. False when the app's start failed.
bool worker_init(struct worker *worker, unsigned index, const struct config *config,
                 const struct app *app, struct hub *hub, struct stats *stats,
                 struct listener *listeners, size_t listener_count);
void worker_free(struct worker *worker);  // after worker_join

void worker_start(struct worker *worker);  // runs the loop in a new thread
void worker_join(struct worker *worker);

// Calls run(worker, arg) on the worker's thread, in order of posting. Any thread.
void worker_post(struct worker *worker, void (*run)(struct worker *worker, void *arg), void *arg);

// Graceful stop (on the worker's thread): stops accepting, lets requests
// finish, closes sessions, and after config->grace_ms cuts what is left.
void worker_stop(struct worker *worker);

static inline uint64_t worker_now_ms(const struct worker *worker) { return worker->now_ms; }
static inline void *worker_app(const struct worker *worker) { return worker->app_state; }

// Sets a timer on the worker's wheel, `delay_ms` from now.
void worker_set_timer(struct worker *worker, struct wheel_timer *timer, uint64_t delay_ms);

// The Date header's value, made once a second.
const char *worker_date(struct worker *worker);

#endif
