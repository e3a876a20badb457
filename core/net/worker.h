// A worker: a thread with its own loop, listeners, connections, timer wheel and
// hub port. A connection lives and dies on one worker; nothing here is locked
// but the mailbox. This is what its parts share: time, the mailbox, the arrays of
// connections. What it does in a loop turn is in turn.h; server.c makes it, starts
// it and ends it.
#ifndef TIDEGATE_NET_WORKER_H
#define TIDEGATE_NET_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/config.h"
#include "base/wheel.h"
#include "net/poll.h"
#include "net/spares.h"
#include "net/stats.h"
#include "net/turn_clock.h"
#include "net/work.h"
#include "proto/http_parse.h"
#include "proto/http_response.h"

struct app;
struct conn;
struct hub;
struct hub_port;
struct listener;
struct refusals;
struct session_gap;
struct worker_call;
struct ws_shared;

enum { WORKER_READ_BYTES = 65536 };

// A growing array of connections.
struct conn_array {
  struct conn **items;
  size_t count, cap;
};
void conn_array_push(struct conn_array *array, struct conn *conn);

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
  struct wheel wheel;  // its timers are of the kinds of enum work
  uint64_t now_ms;     // of this turn, monotonic
  struct turn_clock clock;
  // For what the app runs on libuv: it is run when something is ready on it.
  // Handles must be referenced, and closed by app->worker_stop.
  uv_loop_t loop;
  bool has_loop;
  struct poll_watch loop_watch;
  pthread_t thread;
  bool has_thread;
  atomic_bool has_ended;  // its thread is through; any thread may ask

  pthread_mutex_t mailbox_lock;
  struct worker_call *mailbox, **mailbox_tail;

  struct listener *listeners;  // one per address
  size_t listener_count;
  long long sockets_max;  // connections of all workers that there are descriptors for

  struct conn_array conns;      // all open connections; conn->index is the place
  struct conn_array dirty;      // have output to flush, or input to go on with
  struct conn_array later;      // have input to go on with in the next turn
  struct conn_array closing;    // to be closed at the end of the turn
  struct conn_array gone;       // closed, to be freed when no event of them is left
  struct refusals *refusals;    // of connections beyond the limit
  struct spares spare_outputs;  // struct output, empty
  struct spares spare_calls;    // of HTTP/1.1: struct http1, as new
  struct session_gap *gaps;     // see session_tell_gaps
  size_t gap_count, gap_cap;
  struct ws_shared *ws_shared;  // ws.c's own; opaque to all others
  uint64_t held_bytes;          // see worker_hold
  uint64_t output_bytes;        // of connections whose socket is full: see overflow.h
  uint64_t next_conn_id;
  uint64_t started_ms;
  bool is_stopping;
  struct wheel_timer grace_timer;
  struct wheel_timer sweep_timer;

  char date[HTTP_DATE_BYTES];
  int64_t date_second;
  char *read_buffer;  // WORKER_READ_BYTES, shared by all connections
};

// Calls run(worker, arg) on the worker's thread, in order of posting. Any thread.
void worker_post(struct worker *worker, void (*run)(struct worker *worker, void *arg), void *arg);

static inline uint64_t worker_now_ms(const struct worker *worker) { return worker->now_ms; }
static inline void *worker_app(const struct worker *worker) { return worker->app_state; }

// Sets a timer on the worker's wheel, `delay_ms` from now.
void worker_set_timer(struct worker *worker, struct wheel_timer *timer, uint64_t delay_ms);

// What a client has sent holds memory until it is complete, and until its turn comes: bodies,
// messages, input that waits. It is counted here, for all connections of the worker: `*held`
// is what one holder has, `bytes` what it has from now on. False when it grew and all together
// are beyond message_memory: the caller refuses, and what it lets go it tells here.
bool worker_hold(struct worker *worker, size_t *held, size_t bytes);

// The Date header's value, made once a second.
const char *worker_date(struct worker *worker);

// ---- for server.c --------------------------------------------------------

void worker_open_mailbox(struct worker *worker);
void worker_run_calls(struct worker *worker);  // those posted so far
void worker_close_mailbox(
    struct worker *worker);  // drops what was posted to a worker that never ran

#endif
