// A session: a WebSocket or an event stream, as the app and the hub see it. Its
// state lies beside the connection that carries it, in one piece of memory, so that
// a session costs nothing beyond the connection. Before a call became a session,
// that memory holds HTTP's connection.
//
// Life: a protocol (ws.c, sse.c) takes the session over from a call and begins it;
// session_end tells the app that it is over, once, however it came to that; the
// memory goes with the connection.
#ifndef TIDEGATE_NET_SESSION_H
#define TIDEGATE_NET_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/slice.h"
#include "hub/hub.h"
#include "net/conn.h"
#include "proto/ws_parse.h"

struct http1;
struct session;
struct worker;
struct ws_extra;

// What sending to a session comes to.
enum session_status {
  SESSION_OK = 0,
  SESSION_CLOSED = -1,    // the session is over or closing
  SESSION_FULL = -2,      // the send queue's bound is reached; nothing was queued
  SESSION_NOT_UTF8 = -3,  // text must be UTF-8
  SESSION_INVALID = -4,   // an argument that the protocol forbids
};

// What a protocol makes of its sessions.
struct session_ops {
  struct conn_ops conn;                                // events of the connection
  size_t open_count;                                   // offset in struct stats: sessions open now
  bool (*holds_input)(const struct session *session);  // that waits for the script; NULL: never
  // Tells the client of a gap, before the app is told; NULL: the app does.
  void (*gap)(struct session *session, struct slice topic, uint64_t missed);
  void (*lagged)(struct session *session);  // the hub's policy `close`: end it
};

// There are many, most of them idle: 184 bytes fill an allocation of 192. What a
// delivery touches lies together, from the end of reader to sock.
struct session {
  struct hub_reader reader;  // reader.id is the number of the connection
  bool is_open : 1;          // begun, and the app was not told that it is over
  bool close_sent : 1;       // WebSocket: our close frame is out
  bool ping_waits : 1;       // WebSocket: a ping of the app went into a full queue
  bool took_topic : 1;       // WebSocket: perhaps topic messages since the last message
                             // compressed with a context
  unsigned missed : 2;       // WebSocket: heartbeats without a sign of life
  unsigned tail_pong : 7;    // WebSocket: bytes of the pong that the output ends with, 0: none
  union {
    uint32_t interval_ms;  // heartbeat or keep-alive; from close_sent on:
    uint16_t close_code;   // WebSocket: what the app will be told
  };
  struct conn conn;
  void *app;  // the app's own pointer
  union {
    struct http1 *http1;  // while HTTP/1.1 has the connection
    struct ws_parser ws;
  } state;
  struct ws_extra *extra;  // what few WebSocket sessions have, else NULL
};

_Static_assert(sizeof(struct session) <= 184, "an idle connection is 184 bytes");

static inline struct session *session_of(const struct conn *conn) {
  return list_entry(conn, struct session, conn);
}

// ---- for apps ------------------------------------------------------------

static inline uint64_t session_id(const struct session *session) { return session->reader.id; }
static inline struct worker *session_worker(const struct session *session) {
  return session->conn.worker;
}
static inline void *session_app(const struct session *session) { return session->app; }
static inline void session_set_app(struct session *session, void *app) { session->app = app; }

// The app may still say something: its end has not been asked for.
static inline bool session_is_live(const struct session *session) {
  return conn_is_open(&session->conn) && !session->close_sent;
}

// Bytes of direct sends that wait for the socket.
static inline size_t session_out_bytes(const struct session *session) {
  return conn_out_bytes(&session->conn);
}

// The peer's address, as conn_peer gives it.
static inline void session_peer(const struct session *session, char *out, size_t size) {
  conn_peer(&session->conn, out, size);
}

// Stops and starts reading (back-pressure).
void session_set_reading(struct session *session, bool reads);

// ---- for protocols -------------------------------------------------------

// Takes over an accepted descriptor, for HTTP at first.
struct session *session_new(struct worker *worker, int fd, const struct conn_ops *ops);
void session_free(struct session *session);  // the memory, after conn_destroy

// Begins: events go to ops from now on, and the hub's messages come in the wire form.
void session_begin(struct session *session, const struct session_ops *ops, unsigned form,
                   uint64_t interval_ms);

// Leaves all topics and tells the app, unless it knows.
void session_end(struct session *session, int code, struct slice reason);

// Direct output: see conn_out. What it held last is a tail_pong no more.
static inline struct buf *session_out(struct session *session) {
  session->tail_pong = 0;
  return conn_out(&session->conn);
}

// The bound of direct output (send_queue), for `bytes` more. One message always
// fits an empty queue; the bound is for what piles up.
bool session_has_room(const struct session *session, size_t bytes);
// SESSION_FULL, counted.
enum session_status session_refuse_full(struct session *session);

// Counts a peer that was too slow in `counter` of worker->stats and tells the
// log, as detail for debugging: one peer can cause any number.
void session_count_slow(const struct session *session, metric_value *counter, const char *what);
// conn_ops.stalled of every protocol.
void session_on_stalled(struct conn *conn);
// conn_ops.rearm, .written and .drained of a session.
void session_on_rearm(struct conn *conn);
void session_on_written(struct conn *conn);
void session_on_drained(struct conn *conn);

// ---- for server.c and turn.c ---------------------------------------------

// The hub's callbacks for the readers of sessions (struct hub_port_ops).
size_t session_deliver(struct hub_reader *reader, const struct hub_batch *batch);
void session_note_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                      enum hub_lag policy);

// Tells the app the gaps noted since. So long a session gets none of the messages behind.
// What this part of the turn has no time for waits for the next.
void session_tell_gaps(struct worker *worker);
void session_forget_gaps(struct worker *worker);  // those of connections that are closing

#endif
