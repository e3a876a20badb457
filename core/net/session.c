// Sessions: what WebSockets and event streams have in common. See session.h.
#include "net/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/app.h"
#include "net/worker.h"

enum { PARTS_MAX = OUTPUT_PARTS + 64 };  // and a batch of 64 messages

static struct session *of_reader(struct hub_reader *reader) {
  return list_entry(reader, struct session, reader);
}

// That of a session which has begun: session_begin set it.
static const struct session_ops *ops_of(const struct session *session) {
  return list_entry(session->conn.ops, const struct session_ops, conn);
}

// ---- life ----------------------------------------------------------------

struct session *session_new(struct worker *worker, int fd, const struct conn_ops *ops) {
  struct session *session = mem_zalloc(sizeof *session);
  // Ids are unique in the process: the worker's index in the low byte.
  uint64_t id = (worker->next_conn_id++ << 8) | worker->index;
  hub_reader_init(&session->reader, worker->port, id, HUB_FORM_NONE);
  conn_init(&session->conn, worker, fd, ops);
  return session;
}

void session_free(struct session *session) { free(session); }

static void count_open(const struct session *session, int change) {
  char *stats = (char *)session_worker(session)->stats;
  metric_add((metric_value *)(void *)(stats + ops_of(session)->open_count), change);
}

void session_begin(struct session *session, const struct session_ops *ops, unsigned form,
                   uint64_t interval_ms) {
  session->conn.ops = &ops->conn;
  session->is_open = true;
  session->reader.form = (uint8_t)form;
  session->interval_ms = (uint32_t)interval_ms;
  session->conn.was_alive = true;
  conn_set_timeout(&session->conn, interval_ms);
  conn_set_reading(&session->conn, true);
  count_open(session, 1);
}

void session_end(struct session *session, int code, struct slice reason) {
  if (!session->is_open) return;
  session->is_open = false;
  hub_reader_close(&session->reader);
  count_open(session, -1);
  session_worker(session)->app->closed(session, code, reason);
}

void session_set_reading(struct session *session, bool reads) {
  if (!conn_set_reading(&session->conn, reads) || !session->is_open) return;
  const struct session_ops *ops = ops_of(session);
  if (ops->holds_input != NULL && ops->holds_input(session)) conn_go_on_later(&session->conn);
}

// ---- slow peers ----------------------------------------------------------

bool session_has_room(const struct session *session, size_t bytes) {
  size_t waiting = session_out_bytes(session);
  return waiting == 0 || waiting + bytes <= session_worker(session)->config->send_queue_bytes;
}

enum session_status session_refuse_full(struct session *session) {
  metric_add(&session_worker(session)->stats->sends_full, 1);
  return SESSION_FULL;
}

void session_count_slow(const struct session *session, metric_value *counter, const char *what) {
  metric_add(counter, 1);
  log_debug("connection %llu: %s", (unsigned long long)session_id(session), what);
}

void session_on_stalled(struct conn *conn) {
  session_count_slow(session_of(conn), &conn->worker->stats->slow_readers,
                     "takes nothing for too long");
}

// ---- output that has gone ------------------------------------------------

void session_on_drained(struct conn *conn) {
  struct session *session = session_of(conn);
  if (session->is_open) conn->worker->app->drained(session);
}

void session_on_rearm(struct conn *conn) { conn_set_timeout(conn, session_of(conn)->interval_ms); }

// Also when the socket had room: deliveries stop where a session is about to close.
void session_on_written(struct conn *conn) {
  struct session *session = session_of(conn);
  if (session->reader.is_blocked) hub_reader_resume(&session->reader);
}

// ---- delivery ------------------------------------------------------------

// Lays out the batch behind the connection's own output. Returns the parts and
// how many messages they hold.
static int gather_batch(const struct hub_reader *reader, const struct hub_batch *batch,
                        struct iovec *parts, int count, size_t *messages) {
  if (batch->bytes.ptr != NULL) {
    *messages = batch->count;
    parts[count++] = (struct iovec){(char *)batch->bytes.ptr, batch->bytes.len};
    return count;
  }
  size_t i = 0;
  while (i < batch->count && count < PARTS_MAX) {
    struct slice form = hub_form(reader->port, batch->messages[i++], reader->form);
    if (form.len > 0) parts[count++] = (struct iovec){(char *)form.ptr, form.len};
  }
  *messages = i;
  return count;
}

// Of a batch of which `put` bytes went out: pins the message that was cut and
// returns how many messages are taken.
static size_t account_batch(struct session *session, const struct hub_batch *batch, size_t messages,
                            size_t put) {
  const struct hub_reader *reader = &session->reader;
  size_t start = 0;
  for (size_t i = 0; i < messages; i++) {
    bool is_contiguous = batch->bytes.ptr != NULL;
    size_t end = is_contiguous
                     ? batch->ends[i]
                     : start + hub_form(reader->port, batch->messages[i], reader->form).len;
    if (end > put) {
      if (put <= start) return i;
      struct slice form = hub_form(reader->port, batch->messages[i], reader->form);
      size_t gone = put - start;
      output_pin(session->conn.output, batch->messages[i],
                 slice_of(form.ptr + gone, form.len - gone));
      return i + 1;
    }
    start = end;
  }
  return messages;
}

// Settles that of `bytes` written in one go, the first of them the connection's own,
// the socket took `put` (or failed). Returns how many of the `messages` behind these
// are taken. Not inline: fan-out would pay for its registers.
__attribute__((noinline)) static size_t settle_batch(struct session *session,
                                                     const struct hub_batch *batch, size_t messages,
                                                     size_t bytes, ssize_t put) {
  ssize_t of_batch = conn_settle(&session->conn, put, bytes);
  if (put > 0) session->took_topic = true;
  if (put == (ssize_t)bytes) return messages;
  session->reader.is_blocked = true;
  return of_batch > 0 ? account_batch(session, batch, messages, (size_t)of_batch) : 0;
}

// A delivery behind output of the connection's own, or of single messages.
static size_t deliver_in_parts(struct session *session, const struct hub_batch *batch) {
  struct iovec parts[PARTS_MAX];
  struct conn *conn = &session->conn;
  size_t bytes = 0, messages;
  int own = output_gather(conn->output, parts, &bytes);
  int count = gather_batch(&session->reader, batch, parts, own, &messages);
  for (int i = own; i < count; i++) bytes += parts[i].iov_len;
  if (bytes == 0) return messages;
  return settle_batch(session, batch, messages, bytes, sock_writev(&conn->sock, parts, count));
}

size_t session_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct session *session = of_reader(reader);
  struct conn *conn = &session->conn;
  if (!conn_has_room(conn) || session->close_sent) {
    reader->is_blocked = true;
    return 0;
  }
  if (batch->bytes.ptr == NULL || conn->output != NULL) return deliver_in_parts(session, batch);
  // Fan-out comes here, once for each subscriber and turn.
  struct iovec part = {(char *)batch->bytes.ptr, batch->bytes.len};
  if (part.iov_len == 0) return batch->count;
  ssize_t put = sock_writev(&conn->sock, &part, 1);
  if (put != (ssize_t)part.iov_len)
    return settle_batch(session, batch, batch->count, part.iov_len, put);
  conn->was_read = session->took_topic = true;
  return batch->count;
}

// ---- gaps ----------------------------------------------------------------

// A gap that the hub told during a delivery, kept for the app until after it.
struct session_gap {
  struct session *session;
  char *topic;
  size_t topic_len;
  uint64_t missed;
  bool is_end;  // policy `close`
};

void session_note_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                      enum hub_lag policy) {
  struct session *session = of_reader(reader);
  struct worker *worker = session_worker(session);
  bool is_end = policy == HUB_LAG_CLOSE;
  if (!conn_is_open(&session->conn)) return;
  if (ops_of(session)->gap != NULL && !is_end) ops_of(session)->gap(session, topic, missed);
  reader->is_blocked = true;  // until the app was told, whose answer goes first
  worker->gaps =
      mem_grow(worker->gaps, &worker->gap_cap, worker->gap_count + 1, 16, sizeof *worker->gaps);
  worker->gaps[worker->gap_count++] =
      (struct session_gap){session, mem_strndup(topic.ptr, topic.len), topic.len, missed, is_end};
}

static void tell_gap(struct session_gap gap) {
  struct session *session = gap.session;
  if (session->is_open)
    session_worker(session)->app->gap(session, slice_of(gap.topic, gap.topic_len), gap.missed);
  if (gap.is_end)
    ops_of(session)->lagged(session);
  else
    hub_reader_resume(&session->reader);
  free(gap.topic);
}

// What is told may note further gaps, behind these.
void session_tell_gaps(struct worker *worker) {
  size_t count = worker->gap_count, told = 0;
  while (told < count && (told == 0 || !turn_clock_is_part_over(&worker->clock)))
    tell_gap(worker->gaps[told++]);
  worker->gap_count -= told;
  memmove(worker->gaps, worker->gaps + told, worker->gap_count * sizeof *worker->gaps);
}

void session_forget_gaps(struct worker *worker) {
  size_t kept = 0;
  for (size_t i = 0; i < worker->gap_count; i++) {
    if (conn_is_closing(&worker->gaps[i].session->conn))
      free(worker->gaps[i].topic);
    else
      worker->gaps[kept++] = worker->gaps[i];
  }
  worker->gap_count = kept;
}
