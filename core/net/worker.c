// Workers: life, the mailbox, what the hub calls, and stopping. See worker.h.
#include "net/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/http_conn.h"
#include "net/sse_conn.h"
#include "net/wire.h"
#include "net/ws_unfinished.h"

// ---- time ----------------------------------------------------------------

void worker_set_timer(struct worker *worker, struct wheel_timer *timer, uint64_t delay_ms) {
  wheel_set(&worker->wheel, timer, worker->now_ms + delay_ms);
}

const char *worker_date(struct worker *worker) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != worker->date_second) {
    worker->date_second = now.tv_sec;
    http_format_date(worker->date, now.tv_sec);
  }
  return worker->date;
}

// ---- calls from the hub --------------------------------------------------

static void on_hub_wake(void *ctx) {
  struct worker *worker = ctx;
  poll_wake(&worker->poll);
}

static void on_hub_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                       enum hub_lag policy) {
  struct conn *conn = list_entry(reader, struct conn, reader);
  struct worker *worker = conn->worker;
  bool is_end = policy == HUB_LAG_CLOSE;
  if (!conn_is_open(conn)) return;
  if (reader->form == WIRE_SSE && !is_end) sse_write_gap(conn, topic, (int64_t)missed);
  reader->is_blocked = true;  // until the app was told, whose answer goes first
  worker->gaps =
      mem_grow(worker->gaps, &worker->gap_cap, worker->gap_count + 1, 16, sizeof *worker->gaps);
  worker->gaps[worker->gap_count++] =
      (struct pending_gap){conn, mem_strndup(topic.ptr, topic.len), topic.len, missed, is_end};
}

static const struct hub_port_ops port_ops = {on_hub_wake, conn_deliver, on_hub_gap};

// ---- mailbox -------------------------------------------------------------

void worker_post(struct worker *worker, void (*run)(struct worker *worker, void *arg), void *arg) {
  struct worker_call *call = mem_alloc(sizeof *call);
  *call = (struct worker_call){NULL, run, arg};
  pthread_mutex_lock(&worker->mailbox_lock);
  *worker->mailbox_tail = call;
  worker->mailbox_tail = &call->next;
  pthread_mutex_unlock(&worker->mailbox_lock);
  poll_wake(&worker->poll);
}

static struct worker_call *take_calls(struct worker *worker) {
  pthread_mutex_lock(&worker->mailbox_lock);
  struct worker_call *call = worker->mailbox;
  worker->mailbox = NULL;
  worker->mailbox_tail = &worker->mailbox;
  pthread_mutex_unlock(&worker->mailbox_lock);
  return call;
}

static void on_wake(struct poll *poll) {
  struct worker *worker = list_entry(poll, struct worker, poll);
  struct worker_call *call = take_calls(worker);
  while (call != NULL) {
    struct worker_call *next = call->next;
    call->run(worker, call->arg);
    free(call);
    call = next;
  }
}

// ---- life ----------------------------------------------------------------

static void on_sweep(struct wheel_timer *timer) {
  struct worker *worker = list_entry(timer, struct worker, sweep_timer);
  hub_sweep(worker->hub);
  worker_set_timer(worker, timer, HUB_SWEEP_MS);
}

static void on_grace_over(struct wheel_timer *timer) {
  struct worker *worker = list_entry(timer, struct worker, grace_timer);
  if (worker->conns.count > 0)
    log_warn("grace period over: %zu connections are cut", worker->conns.count);
  for (size_t i = 0; i < worker->conns.count; i++) conn_close(worker->conns.items[i]);
}

static void on_loop_ready(struct poll_watch *watch, uint32_t events) {
  struct worker *worker = list_entry(watch, struct worker, loop_watch);
  (void)events;
  uv_run(&worker->loop, UV_RUN_NOWAIT);
}

bool worker_init(struct worker *worker, unsigned index, const struct config *config,
                 const struct app *app, struct hub *hub, struct stats *stats,
                 struct listener *listeners, size_t listener_count) {
  *worker =
      (struct worker){.index = index, .config = config, .app = app, .hub = hub, .stats = stats};
  worker->listeners = listeners;
  worker->listener_count = listener_count;
  worker->next_conn_id = 1;
  worker->started_ms = clock_mono_ms();
  refusals_init(&worker->refusals);
  worker->http_limits =
      (struct http_limits){(uint32_t)config->header_bytes, (uint32_t)config->header_count,
                           (uint32_t)config->url_bytes, config->body_bytes};
  worker->read_buffer = mem_alloc(WORKER_READ_BYTES);
  worker->deflater = ws_deflater_new(WS_WINDOW_BITS, false);
  pthread_mutex_init(&worker->mailbox_lock, NULL);
  worker->mailbox_tail = &worker->mailbox;

  worker->now_ms = clock_mono_ms();
  wheel_init(&worker->wheel, worker->now_ms);
  uv_loop_init(&worker->loop);
  worker->loop_watch.ready = on_loop_ready;
  bool is_polling =
      poll_init(&worker->poll, on_wake) &&
      poll_add(&worker->poll, uv_backend_fd(&worker->loop), EPOLLIN, &worker->loop_watch);

  wheel_timer_init(&worker->grace_timer, on_grace_over);
  wheel_timer_init(&worker->sweep_timer, on_sweep);
  ws_unfinished_start(worker);
  if (index == 0) worker_set_timer(worker, &worker->sweep_timer, HUB_SWEEP_MS);
  worker->port = hub_port_new(hub, &port_ops, worker);
  worker->app_state = app->worker_start(worker, app->ctx);
  return is_polling && worker->app_state != NULL;
}

static void *run_thread(void *arg) {
  struct worker *worker = arg;
  // Signals are the main thread's.
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGURG);  // the script watchdog's
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  worker->now_ms = clock_mono_ms();
  for (size_t i = 0; i < worker->listener_count; i++) listener_start(&worker->listeners[i], worker);
  turn_loop(worker);
  return NULL;
}

void worker_start(struct worker *worker) {
  worker->has_thread = true;
  pthread_create(&worker->thread, NULL, run_thread, worker);
}

void worker_join(struct worker *worker) {
  if (worker->has_thread) pthread_join(worker->thread, NULL);
  worker->has_thread = false;
}

void worker_stop(struct worker *worker) {
  if (worker->is_stopping) return;
  worker->is_stopping = true;
  wheel_cancel(&worker->sweep_timer);
  for (size_t i = 0; i < worker->listener_count; i++) listener_stop(&worker->listeners[i]);
  for (size_t i = 0; i < worker->conns.count; i++) {
    struct conn *conn = worker->conns.items[i];
    if (conn_is_open(conn)) conn->ops->stop(conn);
  }
  worker_set_timer(worker, &worker->grace_timer, worker->config->grace_ms);
}

void worker_free(struct worker *worker) {
  if (worker->app_state != NULL) worker->app->worker_stop(worker->app_state);
  uv_run(&worker->loop, UV_RUN_DEFAULT);
  uv_loop_close(&worker->loop);
  hub_port_free(worker->port);
  poll_free(&worker->poll);
  struct worker_call *call = take_calls(worker);  // of a worker that never ran
  while (call != NULL) {
    struct worker_call *next = call->next;
    free(call);
    call = next;
  }
  pthread_mutex_destroy(&worker->mailbox_lock);
  refusals_free(&worker->refusals);
  output_free_spares(&worker->spare_outputs);
  http_conn_free_spares(worker);
  free(worker->listeners);
  free(worker->conns.items);
  free(worker->dirty.items);
  free(worker->later.items);
  free(worker->closing.items);
  free(worker->gone.items);
  free(worker->gaps);
  free(worker->read_buffer);
  ws_deflater_free(worker->deflater);
  ws_inflater_free(worker->inflater);
}
