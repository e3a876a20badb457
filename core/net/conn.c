// Connections: reading, corked writing, and the end of life. See conn.h.
#include "net/conn.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/http_conn.h"
#include "net/refusal.h"
#include "net/wire.h"
#include "net/worker.h"

enum { IOV_MAX_PARTS = OUTPUT_PARTS + 64 };  // and a batch of 64 messages

static void on_ready(struct poll_watch *watch, uint32_t events);

static struct conn *of_reader(struct hub_reader *reader) {
  return list_entry(reader, struct conn, reader);
}

// ---- interest in the socket ----------------------------------------------

static uint32_t interest(const struct conn *conn) {
  uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  return conn->polls_write ? events | EPOLLOUT : events;
}

// Has what is ready reported once more, in another turn.
static void poll_again(struct conn *conn) {
  poll_change(&conn->worker->poll, conn->sock.fd, interest(conn), &conn->watch);
}

void conn_set_reading(struct conn *conn, bool reads) {
  if (conn->is_reading == reads || conn->is_closing || conn->peer_ended) return;
  conn->is_reading = reads;
  if (!reads) return;
  if (conn->extra != NULL) conn_go_on_later(conn);
  if (conn->has_input) poll_again(conn);
}

// From now on the peer has to take something within the write timeout.
static void await_reader(struct conn *conn) {
  conn->awaits_reader = true;
  conn->was_read = false;
  sock_has_taken(&conn->sock, &conn->output->untaken);
  worker_set_timer(conn->worker, &conn->timer, conn->worker->config->write_timeout_ms);
}

static struct output *need_output(struct conn *conn) {
  if (conn->output == NULL) conn->output = output_take(&conn->worker->spare_outputs);
  return conn->output;
}

static void drop_output(struct conn *conn) {
  if (conn->output == NULL) return;
  output_give(conn->output, &conn->worker->spare_outputs);
  conn->output = NULL;
}

// The socket is full. This may last, so an empty buffer goes.
static void want_write(struct conn *conn) {
  struct output *output = need_output(conn);
  if (output_direct_bytes(output) == 0) buf_free(&output->direct);
  conn->wants_write = true;
  if (!conn->awaits_reader && !conn->has_deadline) await_reader(conn);
  if (conn->polls_write) return;
  conn->polls_write = true;
  poll_again(conn);
}

// What was read before comes first.
static bool may_read(const struct conn *conn) {
  return conn->is_reading && !conn->is_behind && !conn->is_closing;
}

static void mark_dirty(struct conn *conn) {
  if (conn->is_dirty || conn->is_closing) return;
  conn->is_dirty = true;
  conn_array_push(&conn->worker->dirty, conn);
}

void conn_go_on(struct conn *conn) {
  conn->goes_on = true;
  mark_dirty(conn);
}

void conn_go_on_later(struct conn *conn) {
  if (conn->is_behind || conn->is_closing) return;
  conn->is_behind = true;
  conn_array_push(&conn->worker->later, conn);
}

void conn_take_up(struct conn *conn) {
  conn->is_behind = false;
  if (conn_is_open(conn)) conn->ops->go_on(conn);
  if (conn->has_input && may_read(conn)) poll_again(conn);
}

struct buf *conn_out(struct conn *conn) {
  mark_dirty(conn);
  conn->tail_pong = 0;
  return &need_output(conn)->direct;
}

// ---- life ----------------------------------------------------------------

void conn_count_slow(struct conn *conn, metric_value *counter, const char *what) {
  stats_add(counter, 1);
  log_debug("connection %llu: %s", (unsigned long long)conn_id(conn), what);
}

static void close_slow_reader(struct conn *conn) {
  conn_count_slow(conn, &conn->worker->stats->slow_readers, "takes nothing for too long");
  sock_discard(&conn->sock);
  conn_close(conn);
}

// A reader may take its time as long as it takes something. Room for us in the
// socket comes late, when a third of it is free; the kernel knows of less.
static void check_reader(struct conn *conn) {
  if (conn->was_read || sock_has_taken(&conn->sock, &conn->output->untaken)) {
    await_reader(conn);
    return;
  }
  close_slow_reader(conn);
}

static void on_timer(struct wheel_timer *timer) {
  struct conn *conn = list_entry(timer, struct conn, timer);
  if (conn->awaits_reader)
    check_reader(conn);
  else if (conn->is_lingering)
    conn_close(conn);
  else
    conn->ops->timeout(conn);
}

void conn_set_timeout(struct conn *conn, uint64_t delay_ms) {
  // A handler that wakes in the turn in which its connection broke still calls in.
  if (conn->is_closing) return;
  conn->has_deadline = false;
  if (conn->wants_write) {
    if (!conn->awaits_reader) await_reader(conn);
  } else if (delay_ms == 0) {
    wheel_cancel(&conn->timer);
  } else {
    worker_set_timer(conn->worker, &conn->timer, delay_ms);
  }
}

void conn_set_deadline(struct conn *conn, uint64_t delay_ms) {
  if (conn->is_closing) return;
  conn->has_deadline = true;
  conn->awaits_reader = false;
  worker_set_timer(conn->worker, &conn->timer, delay_ms);
}

void conn_open(struct worker *worker, int fd, bool is_unix) {
  if (worker->conns.count >= worker->config->connections || worker->is_stopping) {
    refusals_add(worker, fd);
    return;
  }
  struct conn *conn = mem_zalloc(sizeof *conn);
  conn->worker = worker;
  conn->is_unix = is_unix;
  sock_init_plain(&conn->sock, fd);
  wheel_timer_init(&conn->timer, on_timer);
  // Ids are unique in the process: the worker's index in the low byte.
  hub_reader_init(&conn->reader, worker->port, (worker->next_conn_id++ << 8) | worker->index,
                  WIRE_WS);
  conn->index = (uint32_t)worker->conns.count;
  conn_array_push(&worker->conns, conn);
  stats_add(&worker->stats->connections, 1);
  stats_add(&worker->stats->accepted, 1);
  conn->is_reading = true;
  conn->watch.ready = on_ready;
  http_conn_start(conn);
  if (!poll_add(&worker->poll, fd, interest(conn), &conn->watch)) conn_close(conn);
}

void conn_close(struct conn *conn) {
  if (conn->is_closing) return;
  conn->is_closing = true;
  wheel_cancel(&conn->timer);
  conn_array_push(&conn->worker->closing, conn);
}

void conn_finish(struct conn *conn) {
  if (!conn_is_open(conn)) return;
  conn->is_finishing = true;
  conn_set_timeout(conn, 0);  // only the reader's time counts now
  mark_dirty(conn);
}

static void start_linger(struct conn *conn) {
  conn->is_finishing = false;
  conn->is_lingering = true;
  if (conn->peer_ended) {
    conn_close(conn);
    return;
  }
  sock_shutdown(&conn->sock);
  conn_set_reading(conn, true);
  conn_set_deadline(conn, CONN_LINGER_MS);
}

void conn_destroy(struct conn *conn) {
  struct worker *worker = conn->worker;
  conn->ops->close(conn);
  wheel_cancel(&conn->timer);
  hub_reader_close(&conn->reader);
  drop_output(conn);
  sock_release(&conn->sock);
  struct conn *last = worker->conns.items[--worker->conns.count];
  worker->conns.items[conn->index] = last;
  last->index = conn->index;
  stats_add(&worker->stats->connections, -1);
  poll_remove(&worker->poll, conn->sock.fd);
  close(conn->sock.fd);
}

void conn_peer(const struct conn *conn, char *out, size_t size) {
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  if (conn->is_unix || getpeername(conn->sock.fd, (struct sockaddr *)&address, &len) != 0 ||
      getnameinfo((struct sockaddr *)&address, len, out, (socklen_t)size, NULL, 0,
                  NI_NUMERICHOST) != 0) {
    snprintf(out, size, "%s", conn->is_unix ? "unix" : "");
  }
}

// ---- writing -------------------------------------------------------------

// Direct output may be gone while a topic message behind it still waits: who
// waits for the one need not wait for the other.
static void tell_drained(struct conn *conn) {
  if (!conn->owes_drained || conn_out_bytes(conn) > 0 || !conn_is_open(conn)) return;
  conn->owes_drained = false;
  conn->ops->drained(conn);
}

static void on_all_written(struct conn *conn) {
  drop_output(conn);
  if (conn->is_finishing) {
    start_linger(conn);
    return;
  }
  if (conn->awaits_reader) {
    conn->awaits_reader = false;
    conn->ops->rearm(conn);
  }
  if (conn->reader.is_blocked) hub_reader_resume(&conn->reader);
  tell_drained(conn);
}

void conn_flush(struct conn *conn) {
  struct iovec parts[OUTPUT_PARTS];
  size_t bytes;
  if (conn->is_closing) return;
  if (conn->wants_write) {
    tell_drained(conn);  // a delivery of this turn may have taken it along
    return;
  }
  int count = output_gather(conn->output, &conn->reader, parts, &bytes);
  ssize_t put = 0;
  if (conn_out_bytes(conn) > 0) conn->owes_drained = true;
  if (count > 0) {
    put = sock_writev(&conn->sock, parts, count);
    if (put == SOCK_AGAIN) put = 0;
    if (put < 0) {
      conn_close(conn);
      return;
    }
    output_consume(conn->output, &conn->reader, (size_t)put);
    if (put > 0) conn->was_read = true;
  }
  if ((size_t)put == bytes) {
    on_all_written(conn);
  } else {
    want_write(conn);
    tell_drained(conn);
  }
}

// Lays out the batch behind the connection's own output. Returns the parts and
// how many messages they hold.
static int gather_batch(struct conn *conn, const struct hub_batch *batch, struct iovec *parts,
                        int count, size_t *messages) {
  if (batch->bytes.ptr != NULL) {
    *messages = batch->count;
    parts[count++] = (struct iovec){(char *)batch->bytes.ptr, batch->bytes.len};
    return count;
  }
  size_t i = 0;
  while (i < batch->count && count < IOV_MAX_PARTS) {
    struct slice form = hub_form(conn->reader.port, batch->messages[i++], conn->reader.form);
    if (form.len > 0) parts[count++] = (struct iovec){(char *)form.ptr, form.len};
  }
  *messages = i;
  return count;
}

// Of a batch of which `put` bytes went out: pins the message that was cut and
// returns how many messages are taken.
static size_t account_batch(struct conn *conn, const struct hub_batch *batch, size_t messages,
                            size_t put) {
  size_t start = 0;
  for (size_t i = 0; i < messages; i++) {
    size_t end =
        batch->bytes.ptr != NULL
            ? batch->ends[i]
            : start + hub_form(conn->reader.port, batch->messages[i], conn->reader.form).len;
    if (end > put) {
      if (put <= start) return i;
      output_pin(conn->output, batch->messages[i], put - start);
      return i + 1;
    }
    start = end;
  }
  return messages;
}

// Settles that of `bytes` written in one go, the first `own` of them the
// connection's own, the socket took `put` (or failed). Returns how many of the
// `messages` behind these are taken.
static size_t settle_batch(struct conn *conn, const struct hub_batch *batch, size_t messages,
                           size_t own, size_t bytes, ssize_t put) {
  if (put == SOCK_AGAIN) put = 0;
  if (put < 0) {
    conn_close(conn);
    conn->reader.is_blocked = true;
    return 0;
  }
  if (put > 0) conn->was_read = conn->took_topic = true;
  size_t of_batch = output_consume(conn->output, &conn->reader, (size_t)put);
  if ((size_t)put == bytes) {
    drop_output(conn);
    return messages;
  }
  want_write(conn);
  conn->reader.is_blocked = true;
  return (size_t)put < own ? 0 : account_batch(conn, batch, messages, of_batch);
}

// A delivery behind output of the connection's own, or of single messages.
static size_t deliver_in_parts(struct conn *conn, const struct hub_batch *batch) {
  struct iovec parts[IOV_MAX_PARTS];
  size_t own;
  size_t messages;
  int count = gather_batch(conn, batch, parts,
                           output_gather(conn->output, &conn->reader, parts, &own), &messages);
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  if (bytes == 0) return messages;
  if (conn_out_bytes(conn) > 0) conn->owes_drained = true;
  ssize_t put = sock_writev(&conn->sock, parts, count);
  return settle_batch(conn, batch, messages, own, bytes, put);
}

size_t conn_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct conn *conn = of_reader(reader);
  if (!conn_is_live(conn) || conn->wants_write) {
    reader->is_blocked = true;
    return 0;
  }
  if (batch->bytes.ptr == NULL || conn->output != NULL) return deliver_in_parts(conn, batch);
  // Fan-out comes here, once for each subscriber and turn.
  struct iovec part = {(char *)batch->bytes.ptr, batch->bytes.len};
  if (part.iov_len == 0) return batch->count;
  ssize_t put = sock_writev(&conn->sock, &part, 1);
  if (put != (ssize_t)part.iov_len)
    return settle_batch(conn, batch, batch->count, 0, part.iov_len, put);
  conn->was_read = conn->took_topic = true;
  return batch->count;
}

// ---- reading -------------------------------------------------------------

static void on_end_of_file(struct conn *conn) {
  conn->is_reading = false;
  conn->peer_ended = true;
  if (conn->is_lingering)
    conn_close(conn);
  else if (!conn->is_finishing)
    conn->ops->eof(conn);
}

// One read. More is left behind only by a full buffer, or by a peer that has
// ended its side: that end is still to be read.
static void read_some(struct conn *conn) {
  char *buffer = conn->worker->read_buffer;
  ssize_t got = sock_recv(&conn->sock, buffer, WORKER_READ_BYTES);
  conn->has_input = got == WORKER_READ_BYTES || (got > 0 && conn->saw_end);
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
  read_some(conn);
  // The end mostly comes with the last bytes.
  if (conn->saw_end && conn->has_input && may_read(conn)) read_some(conn);
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
    close_slow_reader(conn);
  else
    conn_close(conn);
}

static void on_ready(struct poll_watch *watch, uint32_t events) {
  struct conn *conn = list_entry(watch, struct conn, watch);
  if (conn->is_closing) return;
  if (events & EPOLLERR) {
    on_error(conn);
    return;
  }
  if ((events & EPOLLOUT) && conn->wants_write) {
    conn->wants_write = false;
    conn_flush(conn);
    if (conn->is_closing) return;
  }
  if (events & (EPOLLRDHUP | EPOLLHUP)) conn->saw_end = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
    conn->has_input = true;
    if (may_read(conn)) read_ready(conn);
  }
}
