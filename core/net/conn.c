// Connections: reading, corked writing, and the end of life. See conn.h.
//
// A connection's life, with the function of each edge:
//
//   conn_init -> OPEN -- conn_finish --> FINISHING -- start_linger --> LINGERING
//                  |                         |       (all is written)      |
//                  +---------- conn_close ---+------------ conn_close -----+
//                                            v   (on_end_of_file, on_timer)
//                                         CLOSING -- conn_destroy --> gone -- free_gone --> freed
//                                                   (end of the turn: turn.c)
//
//   conn_init closes at once what epoll does not take, start_linger what the peer has ended.
//
// Its input. Sockets are edge-triggered, so what epoll has reported is remembered:
//
//   waiting -- on_ready: has_input --> ready -- read_some --> waiting, or ready when more is left
//
//   A ready connection is read when may_read says so. Two things hold it back:
//     is_reading is false: until conn_set_reading, which the protocol calls (back-pressure);
//     waits_turn is true: from conn_go_on_later to conn_take_up, as kept input comes first.
//   The peer's end goes NONE -- on_ready --> SEEN -- on_end_of_file --> READ, from where nothing
//   is read any more. goes_on is no part of this: it has the protocol go on with what it kept.
#include "net/conn.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/refusal.h"
#include "net/worker.h"

enum { LARGE_READ = 4096 };  // more than a request of one who behaves

// ---- interest in the socket ----------------------------------------------

static uint32_t interest(const struct conn *conn) {
  uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  return conn->polls_write ? events | EPOLLOUT : events;
}

// Has what is ready reported once more, in another turn.
static void poll_again(struct conn *conn) {
  poll_change(&conn->worker->poll, conn->sock.fd, interest(conn), &conn->watch);
}

bool conn_set_reading(struct conn *conn, bool reads) {
  if (conn->is_reading == reads || conn_is_closing(conn) || conn_has_ended(conn)) return false;
  conn->is_reading = reads;
  if (reads && conn->has_input) poll_again(conn);
  return reads;
}

// From now on the peer has to take something within the write timeout.
static void await_reader(struct conn *conn) {
  conn->timer_is = CONN_WRITE_TIMEOUT;
  conn->was_read = false;
  sock_has_taken(&conn->sock, &conn->output->untaken);
  worker_set_timer(conn->worker, &conn->timer, conn->worker->config->write_timeout_ms);
}

static struct output *need_output(struct conn *conn) {
  if (conn->output == NULL) conn->output = output_take(&conn->worker->spare_outputs);
  return conn->output;
}

// Settles what the connection has of output_memory.
static void hold_output(struct conn *conn, size_t bytes) {
  if (conn->output == NULL) return;
  conn->worker->output_bytes += bytes - conn->output->held;
  conn->output->held = bytes;
}

// What the peer does not take counts.
static void hold_unread(struct conn *conn) {
  if (conn->output != NULL) hold_output(conn, conn->output->direct.cap);
}

static void drop_output(struct conn *conn) {
  if (conn->output == NULL) return;
  hold_output(conn, 0);
  output_give(conn->output, &conn->worker->spare_outputs);
  conn->output = NULL;
}

// The socket is full. This may last, so an empty buffer goes.
static void want_write(struct conn *conn) {
  struct output *output = need_output(conn);
  if (output_direct_bytes(output) == 0) buf_free(&output->direct);
  conn->wants_write = true;
  hold_unread(conn);
  if (conn->timer_is == CONN_TIMEOUT) await_reader(conn);
  if (conn->polls_write) return;
  conn->polls_write = true;
  poll_again(conn);
}

// What was read before comes first.
static bool may_read(const struct conn *conn) {
  return conn->is_reading && !conn->waits_turn && !conn_is_closing(conn);
}

static void read_ready(struct conn *conn);

static void mark_dirty(struct conn *conn) {
  if (conn->is_dirty || conn_is_closing(conn)) return;
  conn->is_dirty = true;
  conn_array_push(&conn->worker->dirty, conn);
}

void conn_go_on(struct conn *conn) {
  conn->goes_on = true;
  mark_dirty(conn);
}

void conn_go_on_later(struct conn *conn) {
  if (conn->waits_turn || conn_is_closing(conn)) return;
  conn->waits_turn = true;
  conn_array_push(&conn->worker->later, conn);
}

void conn_put_off(struct conn *conn) {
  metric_add(&conn->worker->stats->put_off, 1);
  conn_go_on_later(conn);
}

bool conn_is_read_for_later(const struct conn *conn, size_t len) {
  return len > LARGE_READ && turn_clock_is_late(&conn->worker->clock);
}

// Direct output may be gone while a topic message behind it still waits: who
// waits for the one need not wait for the other.
static bool is_drained(const struct conn *conn) {
  return conn->owes_drained && conn_out_bytes(conn) == 0 && conn_is_open(conn);
}

static void tell_drained_now(struct conn *conn) {
  conn->owes_drained = false;
  conn->ops->drained(conn);
}

void conn_take_up(struct conn *conn) {
  conn->waits_turn = false;
  turn_clock_begin_share(&conn->worker->clock);
  if (is_drained(conn)) tell_drained_now(conn);
  if (conn_is_open(conn)) conn->ops->go_on(conn);
  if (conn->has_input && may_read(conn)) read_ready(conn);
}

struct buf *conn_out(struct conn *conn) {
  mark_dirty(conn);
  return &need_output(conn)->direct;
}

// ---- life ----------------------------------------------------------------

void conn_cut(struct conn *conn) {
  sock_discard(&conn->sock);
  conn_close(conn);
}

static void cut_stalled(struct conn *conn) {
  conn->ops->stalled(conn);
  conn_cut(conn);
}

// A reader may take its time as long as it takes something. Room for us in the
// socket comes late, when a third of it is free; the kernel knows of less.
static void check_reader(struct conn *conn) {
  if (conn->was_read || sock_has_taken(&conn->sock, &conn->output->untaken)) {
    await_reader(conn);
    return;
  }
  cut_stalled(conn);
}

static void on_timer(struct wheel_timer *timer) {
  struct conn *conn = list_entry(timer, struct conn, timer);
  if (conn->timer_is == CONN_WRITE_TIMEOUT)
    check_reader(conn);
  else if (conn->phase == CONN_LINGERING)
    conn_close(conn);
  else
    conn->ops->timeout(conn);
}

void conn_set_timeout(struct conn *conn, uint64_t delay_ms) {
  // A handler that wakes in the turn in which its connection broke still calls in.
  if (conn_is_closing(conn)) return;
  if (conn->timer_is == CONN_DEADLINE) conn->timer_is = CONN_TIMEOUT;
  if (conn->wants_write) {
    if (conn->timer_is != CONN_WRITE_TIMEOUT) await_reader(conn);
  } else if (delay_ms == 0) {
    wheel_cancel(&conn->timer);
  } else {
    worker_set_timer(conn->worker, &conn->timer, delay_ms);
  }
}

void conn_set_deadline(struct conn *conn, uint64_t delay_ms) {
  if (conn_is_closing(conn)) return;
  conn->timer_is = CONN_DEADLINE;
  worker_set_timer(conn->worker, &conn->timer, delay_ms);
}

bool conn_admit(struct worker *worker, int fd) {
  if (worker->conns.count < worker->config->connections && !worker->is_stopping) return true;
  refusals_add(worker, fd);
  return false;
}

static void on_ready(struct poll_watch *watch, uint32_t events);

void conn_init(struct conn *conn, struct worker *worker, int fd, const struct conn_ops *ops) {
  conn->worker = worker;
  conn->ops = ops;
  sock_init_plain(&conn->sock, fd);
  wheel_timer_init(&conn->timer, on_timer);
  conn->index = (uint32_t)worker->conns.count;
  conn_array_push(&worker->conns, conn);
  metric_add(&worker->stats->connections, 1);
  metric_add(&worker->stats->accepted, 1);
  conn->is_reading = true;
  conn->watch.ready = on_ready;
  if (!poll_add(&worker->poll, fd, interest(conn), &conn->watch)) conn_close(conn);
}

void conn_close(struct conn *conn) {
  if (conn_is_closing(conn)) return;
  conn->phase = CONN_CLOSING;
  wheel_cancel(&conn->timer);
  hold_output(conn, 0);  // it goes with the connection, which may wait for its turn to go
  conn_array_push(&conn->worker->closing, conn);
}

void conn_finish(struct conn *conn) {
  if (!conn_is_open(conn)) return;
  conn->phase = CONN_FINISHING;
  conn_set_timeout(conn, 0);  // only the reader's time counts now
  mark_dirty(conn);
}

static void start_linger(struct conn *conn) {
  conn->phase = CONN_LINGERING;
  if (conn_has_ended(conn)) {
    conn_close(conn);
    return;
  }
  sock_shutdown(&conn->sock);
  conn_set_reading(conn, true);
  conn_set_deadline(conn, SOCK_LINGER_MS);
}

void conn_destroy(struct conn *conn) {
  struct worker *worker = conn->worker;
  conn->ops->close(conn);
  wheel_cancel(&conn->timer);
  drop_output(conn);
  sock_release(&conn->sock);
  struct conn *last = worker->conns.items[--worker->conns.count];
  worker->conns.items[conn->index] = last;
  last->index = conn->index;
  metric_add(&worker->stats->connections, -1);
  poll_remove(&worker->poll, conn->sock.fd);
  close(conn->sock.fd);
}

static bool is_unix(int fd) {
  struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
  socklen_t len = sizeof own;
  return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.ss_family == AF_UNIX;
}

void conn_peer(const struct conn *conn, char *out, size_t size) {
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  if (is_unix(conn->sock.fd))
    snprintf(out, size, "unix");
  else if (getpeername(conn->sock.fd, (struct sockaddr *)&address, &len) != 0 ||
           getnameinfo((struct sockaddr *)&address, len, out, (socklen_t)size, NULL, 0,
                       NI_NUMERICHOST) != 0)
    out[0] = '\0';
}

// ---- writing -------------------------------------------------------------

// Once what waits for that has used up its part of the turn, the rest of it comes in the next.
static void tell_drained(struct conn *conn) {
  if (!is_drained(conn)) return;
  if (turn_clock_is_part_over(&conn->worker->clock))
    conn_put_off(conn);
  else
    tell_drained_now(conn);
}

static void on_all_written(struct conn *conn) {
  drop_output(conn);
  if (conn->phase == CONN_FINISHING) {
    start_linger(conn);
    return;
  }
  if (conn->timer_is == CONN_WRITE_TIMEOUT) {
    conn->timer_is = CONN_TIMEOUT;
    conn->ops->rearm(conn);
  }
  if (conn->ops->written != NULL) conn->ops->written(conn);
  tell_drained(conn);
}

// All went out, as nearly always.
static void settle_whole(struct conn *conn) {
  if (conn_out_bytes(conn) > 0) conn->owes_drained = true;
  conn->was_read = true;
  drop_output(conn);
}

ssize_t conn_settle(struct conn *conn, ssize_t put, size_t bytes) {
  if (put == SOCK_AGAIN) put = 0;
  if (put < 0) {
    conn_close(conn);
    return -1;
  }
  if (put > 0) conn->was_read = true;
  if (conn_out_bytes(conn) > 0) conn->owes_drained = true;
  size_t behind = output_consume(conn->output, (size_t)put);
  if ((size_t)put == bytes)
    drop_output(conn);
  else
    want_write(conn);
  return (ssize_t)behind;
}

static void flush(struct conn *conn) {
  struct iovec parts[OUTPUT_PARTS];
  size_t bytes;
  int count = output_gather(conn->output, parts, &bytes);
  if (count > 0) {
    ssize_t put = sock_writev(&conn->sock, parts, count);
    if (put == (ssize_t)bytes)
      settle_whole(conn);
    else if (conn_settle(conn, put, bytes) < 0)
      return;
  }
  if (conn->wants_write)
    tell_drained(conn);
  else
    on_all_written(conn);
}

void conn_end_turn(struct conn *conn) {
  conn->is_dirty = false;
  if (conn_is_closing(conn)) return;
  if (conn->goes_on) {
    conn->goes_on = false;
    turn_clock_begin_share(&conn->worker->clock);
    if (conn_is_open(conn)) conn->ops->go_on(conn);
    if (conn_is_closing(conn)) return;
  }
  if (!conn->wants_write) {
    flush(conn);
    return;
  }
  hold_unread(conn);
  tell_drained(conn);  // a delivery of this turn may have taken it along
}

// ---- reading -------------------------------------------------------------

static void on_end_of_file(struct conn *conn) {
  conn->is_reading = false;
  conn->end = CONN_END_READ;
  if (conn->phase == CONN_LINGERING)
    conn_close(conn);
  else if (conn->phase == CONN_OPEN)
    conn->ops->eof(conn);
}

// One read. More is left behind only by a full buffer, or by a peer that has
// ended its side: that end is still to be read.
static void read_some(struct conn *conn) {
  char *buffer = conn->worker->read_buffer;
  ssize_t got = sock_recv(&conn->sock, buffer, WORKER_READ_BYTES);
  conn->has_input = got == WORKER_READ_BYTES || (got > 0 && conn->end == CONN_END_SEEN);
  if (got > 0) {
    conn->was_alive = true;
    // While finishing or lingering, what still arrives is thrown away.
    if (conn_is_open(conn)) conn->ops->data(conn, buffer, (size_t)got);
  } else if (got == SOCK_EOF) {
    on_end_of_file(conn);
  } else if (got == SOCK_ERROR) {
    conn_close(conn);
  }
}

static void read_ready(struct conn *conn) {
  turn_clock_begin_share(&conn->worker->clock);
  read_some(conn);
  // The end mostly comes with the last bytes.
  if (conn->end == CONN_END_SEEN && conn->has_input && may_read(conn)) read_some(conn);
  // Other connections first.
  if (conn->has_input && may_read(conn)) poll_again(conn);
}

// ETIMEDOUT: the kernel has given up on the peer by our measure, the write
// timeout (bind_tcp in listen.c).
static void on_error(struct conn *conn) {
  int error = 0;
  socklen_t len = sizeof error;
  getsockopt(conn->sock.fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error == ETIMEDOUT)
    cut_stalled(conn);
  else
    conn_close(conn);
}

static void on_ready(struct poll_watch *watch, uint32_t events) {
  struct conn *conn = list_entry(watch, struct conn, watch);
  if (conn_is_closing(conn)) return;
  if (events & EPOLLERR) {
    on_error(conn);
    return;
  }
  if ((events & EPOLLOUT) && conn->wants_write) {
    conn->wants_write = false;
    flush(conn);
    if (conn_is_closing(conn)) return;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP)) && conn->end == CONN_END_NONE) conn->end = CONN_END_SEEN;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
    conn->has_input = true;
    // Many that leave at once: those who stay come first.
    if (conn->end == CONN_END_SEEN && turn_clock_is_late(&conn->worker->clock)) conn_put_off(conn);
    if (may_read(conn)) read_ready(conn);
  }
}
