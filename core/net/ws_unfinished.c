#include "net/ws_unfinished.h"

#include "net/conn.h"
#include "net/worker.h"
#include "net/ws_conn.h"
#include "net/ws_extra.h"
#include "proto/ws_close_code.h"

static const char too_slow[] = "the message took too long";

static uint64_t due_ms(const struct ws_unfinished *unfinished, const struct worker *worker) {
  return unfinished->begun_ms + worker->config->body_timeout_ms;
}

static struct ws_unfinished *oldest(struct worker *worker) {
  if (list_is_empty(&worker->unfinished)) return NULL;
  return list_entry(worker->unfinished.next, struct ws_unfinished, link);
}

static void begin(struct worker *worker, struct ws_unfinished *unfinished) {
  list_remove(&unfinished->link);
  list_append(&worker->unfinished, &unfinished->link);
  unfinished->begun_ms = worker_now_ms(worker);
}

static void wait_for_oldest(struct worker *worker) {
  struct ws_unfinished *first = oldest(worker);
  if (first == NULL) return;
  uint64_t now = worker_now_ms(worker), due = due_ms(first, worker);
  worker_set_timer(worker, &worker->unfinished_timer, due > now ? due - now : 0);
}

static void on_due(struct wheel_timer *timer) {
  struct worker *worker = list_entry(timer, struct worker, unfinished_timer);
  struct ws_unfinished *first;
  while ((first = oldest(worker)) != NULL && due_ms(first, worker) <= worker_now_ms(worker)) {
    struct conn *conn = first->conn;
    if (!conn->is_reading) {  // it is the script that takes its time
      begin(worker, first);
      continue;
    }
    ws_unfinished_forget(conn);
    if (!conn_is_open(conn)) continue;
    conn_count_slow(conn, &worker->stats->slow_requests, too_slow);
    ws_fail(conn, WS_CLOSE_POLICY, too_slow);
  }
  wait_for_oldest(worker);
}

void ws_unfinished_start(struct worker *worker) {
  list_init(&worker->unfinished);
  wheel_timer_init(&worker->unfinished_timer, on_due);
}

static bool is_noted(const struct conn *conn) {
  return conn->extra != NULL && !list_is_empty(&conn->extra->unfinished.link);
}

bool ws_unfinished_note(struct conn *conn, bool ended_one) {
  struct worker *worker = conn->worker;
  if (!ws_parser_in_message(&conn->proto.ws)) {
    ws_unfinished_forget(conn);
    return true;
  }
  bool is_first = list_is_empty(&worker->unfinished);
  struct ws_unfinished *unfinished = &ws_extra_of(conn)->unfinished;
  if (ended_one || !is_noted(conn)) begin(worker, unfinished);
  if (is_first) wait_for_oldest(worker);
  size_t before = unfinished->bytes;
  unfinished->bytes = ws_parser_held(&conn->proto.ws);
  worker->unfinished_bytes += unfinished->bytes - before;
  return unfinished->bytes <= before ||
         worker->unfinished_bytes <= worker->config->message_memory_bytes;
}

void ws_unfinished_forget(struct conn *conn) {
  if (!is_noted(conn)) return;
  struct ws_unfinished *unfinished = &conn->extra->unfinished;
  list_remove(&unfinished->link);
  conn->worker->unfinished_bytes -= unfinished->bytes;
  unfinished->bytes = 0;
  ws_extra_tidy(conn);
}
