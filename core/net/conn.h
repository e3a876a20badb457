// A connection: a transport. Socket, output, one timer, and the protocol that has
// it now, behind struct conn_ops. Output is collected and flushed once per loop
// turn. It knows no protocol; what lives on it is a session (session.h) or the
// calls of http1_call.c.
//
// conn.c shows its life and its input as diagrams. No callback ever frees what is
// calling it: conn_close marks the connection, and the end of the turn (turn.c)
// has ops->close release the protocol's state, closes the socket and frees it.
#ifndef TIDEGATE_NET_CONN_H
#define TIDEGATE_NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/wheel.h"
#include "net/output.h"
#include "net/poll.h"
#include "net/sock.h"

struct conn;
struct worker;

// What a protocol does with the events of its connection.
struct conn_ops {
  void (*data)(struct conn *conn, char *data, size_t len);  // bytes arrived; data may be changed
  void (*eof)(struct conn *conn);                           // the peer sends no more
  void (*timeout)(struct conn *conn);                       // a timeout or deadline ran out
  void (*stalled)(struct conn *conn);  // the peer takes nothing: count it; it is cut next
  void (*rearm)(struct conn *conn);    // all is written after the socket was full: set the
                                       // timeout, which stood back
  void (*written)(struct conn *conn);  // all is written; NULL: of no interest
  void (*go_on)(struct conn *conn);    // asked for with conn_go_on or conn_go_on_later
  void (*drained)(struct conn *conn);  // direct output has gone to the socket
  void (*stop)(struct conn *conn);     // the server is stopping: finish
  void (*close)(struct conn *conn);    // release the protocol's state
};

enum conn_phase {
  CONN_OPEN,
  CONN_FINISHING,  // to be closed once the output is gone
  CONN_LINGERING,  // output gone and write side shut; waiting for the peer's end
  CONN_CLOSING,    // in worker->closing, then in worker->gone
};

enum conn_end {
  CONN_END_NONE,
  CONN_END_SEEN,  // the peer has ended its side; there may be bytes before that
  CONN_END_READ,  // nothing more will come
};

// What the timer is for: see conn_set_timeout.
enum conn_timer { CONN_TIMEOUT, CONN_DEADLINE, CONN_WRITE_TIMEOUT };

// Embedded in a session. What a delivery touches comes first: there it lies just
// behind the hub's reader.
struct conn {
  enum conn_phase phase : 2;
  enum conn_end end : 2;
  enum conn_timer timer_is : 2;
  bool is_reading : 1;    // the protocol wants input
  bool has_input : 1;     // the socket has bytes, or its end, that were not read
  bool waits_turn : 1;    // in worker->later: ops->go_on is due in the next turn
  bool goes_on : 1;       // ops->go_on is due at the end of this turn
  bool is_dirty : 1;      // in worker->dirty
  bool wants_write : 1;   // the socket was full
  bool polls_write : 1;   // epoll tells when the socket has room: once needed, for good
  bool owes_drained : 1;  // ops->drained is due when the direct output is written
  bool was_alive : 1;     // bytes arrived since the protocol last cleared it
  bool was_read : 1;      // the peer took bytes since the write timeout last looked
  uint32_t index;         // in worker->conns
  struct output *output;  // NULL when there is none
  struct sock sock;
  struct worker *worker;
  const struct conn_ops *ops;
  struct poll_watch watch;
  struct wheel_timer timer;
};

// Whether the worker may take one more connection. False: fd was refused with 503.
bool conn_admit(struct worker *worker, int fd);

// Begins a connection in zeroed memory that stays until the end of its life;
// takes over an accepted descriptor.
void conn_init(struct conn *conn, struct worker *worker, int fd, const struct conn_ops *ops);

// Direct output, sent at the end of the turn. conn_out gives the buffer to
// append to; it must not be kept.
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

// Stops and starts reading (back-pressure). Returns whether reading began anew.
bool conn_set_reading(struct conn *conn, bool reads);

// Has ops->go_on called at the end of this turn.
void conn_go_on(struct conn *conn);
// The same in the next turn, when others had theirs. Nothing is read before.
void conn_go_on_later(struct conn *conn);
// The same because it has used its share of the turn (turn_clock.h), which counts.
void conn_put_off(struct conn *conn);
// Whether a read is to be kept for the next turn whole: it may hold many messages, and the
// turn has lasted long. Those who said little come first.
bool conn_is_read_for_later(const struct conn *conn, size_t len);

// Ends the connection once its output is sent: shuts the write side, and reads
// on for a moment so that the peer gets the last bytes and no reset.
void conn_finish(struct conn *conn);

// Ends the connection at the end of this turn; output not yet sent is lost.
void conn_close(struct conn *conn);

// The same; what the kernel still has for the peer is lost, too.
void conn_cut(struct conn *conn);

static inline bool conn_is_open(const struct conn *conn) { return conn->phase == CONN_OPEN; }
static inline bool conn_is_closing(const struct conn *conn) { return conn->phase == CONN_CLOSING; }
// It is open, and the socket was not full when it was last written to.
static inline bool conn_has_room(const struct conn *conn) {
  return conn->phase == CONN_OPEN && !conn->wants_write;
}
// The peer has ended its side, and all before that was read.
static inline bool conn_has_ended(const struct conn *conn) { return conn->end == CONN_END_READ; }

// ---- for session.c: writing at once, behind the connection's own output ----

// Settles that of `bytes`, the connection's own output (output_gather) and what
// follows it, the socket took `put`, as sock_writev returned it. Returns how much of
// what follows that is; -1: the connection broke. Less than all: it wants to write.
ssize_t conn_settle(struct conn *conn, ssize_t put, size_t bytes);

// ---- for turn.c ----------------------------------------------------------

void conn_take_up(struct conn *conn);   // calls ops->drained and go_on, left for later
void conn_end_turn(struct conn *conn);  // of a dirty one: goes on, and writes what is waiting
void conn_destroy(struct conn *conn);   // all but the memory of the struct

#endif
