// A connection: socket, output, one timer, and the protocol that owns it now
// (http_conn, then perhaps ws_conn or sse_conn). Output is collected and
// flushed once per loop turn. An idle session holds no buffers.
//
// Life: conn_open; the protocol's callbacks; conn_close (or conn_finish) marks
// it; at the end of the turn ops->close releases the protocol's state, the
// socket is closed and the memory freed. So no callback ever frees what is
// calling it, and no event of the turn finds the memory gone.
#ifndef TIDEGATE_NET_CONN_H
#define TIDEGATE_NET_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/wheel.h"
#include "hub/hub.h"
#include "net/output.h"
#include "net/poll.h"
#include "net/sock.h"
#include "proto/ws_parse.h"

struct conn;
struct worker;
struct ws_extra;

// What a protocol does with the events of its connection.
struct conn_ops {
  void (*data)(struct conn *conn, char *data, size_t len);  // bytes arrived; data may be changed
  void (*eof)(struct conn *conn);                           // the peer sends no more
  void (*timeout)(struct conn *conn);                       // a timeout or deadline ran out
  void (*rearm)(struct conn *conn);                         // set the timeout, which stood back
  void (*go_on)(struct conn *conn);                         // asked for with conn_go_on
  void (*drained)(struct conn *conn);                       // direct output has gone to the socket
  void (*stop)(struct conn *conn);                          // the server is stopping: finish
  void (*lagged)(struct conn *conn);  // the hub's policy `close`: end the session
  void (*close)(struct conn *conn);   // release the protocol's state
};

// There are many, most of them idle: 184 bytes fill an allocation of 192. What a
// delivery touches lies together, from the end of reader to sock.
struct conn {
  struct poll_watch watch;
  const struct conn_ops *ops;
  struct worker *worker;
  struct hub_reader reader;  // reader.id is the connection's id
  bool is_session : 1;       // reader is in use and the app holds a session
  bool is_unix : 1;
  bool is_reading : 1;
  bool has_input : 1;       // the socket has bytes, or its end, that were not read
  bool saw_end : 1;         // the peer has ended its side; it may not be read yet
  bool wants_write : 1;     // the socket was full
  bool polls_write : 1;     // epoll tells when the socket has room: once needed, for good
  bool is_dirty : 1;        // in worker->dirty
  bool goes_on : 1;         // ops->go_on is due
  bool is_behind : 1;       // in worker->later: ops->go_on is due in the next turn
  bool is_finishing : 1;    // close once the output is gone
  bool is_lingering : 1;    // output gone and write side shut; waiting for the peer's end
  bool is_closing : 1;      // in worker->closing
  bool close_sent : 1;      // WebSocket: our close frame is out
  bool close_received : 1;  // WebSocket: the peer's is in
  bool was_alive : 1;       // bytes arrived since the heartbeat last looked
  bool ping_waits : 1;      // WebSocket: a ping of the app went into a full queue
  bool awaits_reader : 1;   // the timer is the write timeout ...
  bool has_deadline : 1;    // ... or one that reading does not put off
  bool was_read : 1;        // the peer took bytes since the write timeout last looked
  bool took_topic : 1;      // WebSocket: perhaps topic messages since the last message compressed
                            // with a context
  bool owes_drained : 1;    // ops->drained is due when the direct output is written
  bool peer_ended : 1;      // read end of file
  unsigned missed : 2;      // heartbeats without a sign of life
  unsigned tail_pong : 7;   // WebSocket: bytes of the pong that `out` ends with, 0: none
  uint32_t index;           // in worker->conns
  struct output *output;    // NULL when there is none
  struct sock sock;
  union {
    uint32_t interval_ms;  // heartbeat or keep-alive of the session; from close_sent on:
    uint16_t close_code;   // WebSocket: what the app will be told
  };
  union {
    struct http_conn *http;
    struct ws_parser ws;
  } proto;
  void *app;               // the app's session, see conn_app
  struct ws_extra *extra;  // what few WebSocket sessions have, else NULL
  struct wheel_timer timer;
};

_Static_assert(sizeof(struct conn) <= 184, "an idle connection is 184 bytes");

enum { CONN_LINGER_MS = 2000 };  // how long the peer may take to see our end

// Takes over an accepted descriptor; refuses it with 503 when the worker is full.
void conn_open(struct worker *worker, int fd, bool is_unix);

static inline uint64_t conn_id(const struct conn *conn) { return conn->reader.id; }

// The app's own pointer for a session; NULL at first.
static inline void *conn_app(const struct conn *conn) { return conn->app; }
static inline void conn_set_app(struct conn *conn, void *app) { conn->app = app; }

// Direct output, sent at the end of the turn. conn_out gives the buffer to
// append to; it must not be kept. What it held last is a tail_pong no more.
struct buf *conn_out(struct conn *conn);
static inline size_t conn_out_bytes(const struct conn *conn) {
  return output_direct_bytes(conn->output);
}

// The peer's address: "127.0.0.1", "::1", or "unix". out has at least 64 bytes.
void conn_peer(const struct conn *conn, char *out, size_t size);

// There is one timer. conn_set_timeout: how long to wait for the peer to say
// something; 0 ms turns it off. While the socket is full it stands back, and
// the peer has write_timeout to take something, again and again: a slow reader
// may take its time. When all is written, ops->rearm is called.
void conn_set_timeout(struct conn *conn, uint64_t delay_ms);

// The same for what must be over by then, however the peer reads: a head, a
// body, a close handshake. Holds until conn_set_timeout.
void conn_set_deadline(struct conn *conn, uint64_t delay_ms);

// Counts a peer that was too slow in `counter` of worker->stats and tells the
// log, as detail for debugging: one peer can cause any number.
void conn_count_slow(struct conn *conn, metric_value *counter, const char *what);

// Stops and starts reading (back-pressure).
void conn_set_reading(struct conn *conn, bool reads);

// Has ops->go_on called at the end of this turn.
void conn_go_on(struct conn *conn);
// The same in the next turn, when others had theirs. Nothing is read before.
void conn_go_on_later(struct conn *conn);

// Ends the connection once its output is sent: shuts the write side, and reads
// on for a moment so that the peer gets the last bytes and no reset.
void conn_finish(struct conn *conn);

// Ends the connection at the end of this turn; output not yet sent is lost.
void conn_close(struct conn *conn);

static inline bool conn_is_open(const struct conn *conn) {
  return !conn->is_closing && !conn->is_finishing && !conn->is_lingering;
}

// The app may still say something: its end has not been asked for.
static inline bool conn_is_live(const struct conn *conn) {
  return conn_is_open(conn) && !conn->close_sent;
}

// ---- for worker.c --------------------------------------------------------

void conn_take_up(struct conn *conn);  // has ops->go_on called that was left for later
void conn_flush(struct conn *conn);    // writes what is waiting
void conn_destroy(struct conn *conn);  // end of turn: all but the memory of the struct
// The hub's callbacks (see hub_port_ops).
size_t conn_deliver(struct hub_reader *reader, const struct hub_batch *batch);

#endif
