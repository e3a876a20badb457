// Workers: the loop, the mailbox, the end of a turn, and stopping. See worker.h.
#include "net/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/sse_conn.h"
#include "net/wire.h"

enum {
  TURN_ROUNDS = 16,  // of closing, draining and flushing before the loop may poll again
};

void conn_array_push(struct conn_array *array, struct conn *conn) {
  if (array->count == array->cap) {
    array->cap = array->cap == 0 ? 64 : array->cap * 2;
    array->items = mem_realloc(array->items, array->cap * sizeof *array->items);
  }
  array->items[array->count++] = conn;
}

// Takes the array's content; what is pushed meanwhile starts a new one.
static struct conn_array take(struct conn_array *array) {
  struct conn_array taken = *array;
  *array = (struct conn_array){0};
  return taken;
}

// Gives the memory back for reuse unless a new array has grown meanwhile.
static void give_back(struct conn_array *array, struct conn_array taken) {
  if (array->items == NULL)
    *array = (struct conn_array){taken.items, 0, taken.cap};
  else
    free(taken.items);
}

// ---- time ----------------------------------------------------------------

static void on_timer(uv_timer_t *timer);

// Arms the one libuv timer for the wheel's next expiry.
static void arm_timer(struct worker *worker) {
  uint64_t due = wheel_next_ms(&worker->wheel);
  if (due == worker->timer_due_ms) return;
  worker->timer_due_ms = due;
  if (due == UINT64_MAX) {
    uv_timer_stop(&worker->timer);
    return;
  }
  uint64_t now = uv_now(&worker->loop);
  uv_timer_start(&worker->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_timer(uv_timer_t *timer) {
  struct worker *worker = timer->data;
  worker->timer_due_ms = UINT64_MAX;
  wheel_advance(&worker->wheel, uv_now(&worker->loop));
}

void worker_set_timer(struct worker *worker, struct wheel_timer *timer, uint64_t delay_ms) {
  wheel_set(&worker->wheel, timer, uv_now(&worker->loop) + delay_ms);
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

// ---- the end of a turn ---------------------------------------------------

static void flush_dirty(struct worker *worker) {
  struct conn_array dirty = take(&worker->dirty);
  for (size_t i = 0; i < dirty.count; i++) {
    struct conn *conn = dirty.items[i];
    conn->is_dirty = false;
    if (conn->is_closing) continue;
    if (conn->goes_on) {
      conn->goes_on = false;
      if (conn_is_open(conn)) conn->ops->go_on(conn);
    }
    conn_flush(conn);
  }
  give_back(&worker->dirty, dirty);
}

static void destroy_closing(struct worker *worker) {
  struct conn_array closing = take(&worker->closing);
  for (size_t i = 0; i < closing.count; i++) conn_destroy(closing.items[i]);
  give_back(&worker->closing, closing);
}

static void tell_gaps(struct worker *worker) {
  struct pending_gap *gaps = worker->gaps;
  size_t count = worker->gap_count;
  worker->gaps = NULL;
  worker->gap_count = worker->gap_cap = 0;
  for (size_t i = 0; i < count; i++) {
    struct conn *conn = gaps[i].conn;
    if (conn->is_session)
      worker->app->gap(conn, slice_of(gaps[i].topic, gaps[i].topic_len), gaps[i].missed);
    free(gaps[i].topic);
  }
  free(gaps);
}

static bool has_turn_work(const struct worker *worker) {
  return worker->dirty.count > 0 || worker->closing.count > 0 || worker->gap_count > 0;
}

static void close_handles(struct worker *worker) {
  uv_close((uv_handle_t *)&worker->turn_end, NULL);
  uv_close((uv_handle_t *)&worker->wake, NULL);
  uv_close((uv_handle_t *)&worker->timer, NULL);
}

// Runs just before the loop sleeps. What handlers of closed sessions and gaps
// do may make new work, hence the rounds.
static void worker_turn_end(uv_prepare_t *prepare) {
  struct worker *worker = prepare->data;
  for (int round = 0; round < TURN_ROUNDS; round++) {
    hub_drain(worker->port);
    tell_gaps(worker);
    flush_dirty(worker);
    destroy_closing(worker);
    if (!has_turn_work(worker) && !hub_port_has_work(worker->port)) break;
  }
  if (has_turn_work(worker) || hub_port_has_work(worker->port)) uv_async_send(&worker->wake);
  if (worker->is_stopping && worker->conns.count == 0) {
    close_handles(worker);
    return;
  }
  arm_timer(worker);
}

// ---- calls from the hub --------------------------------------------------

static void on_hub_wake(void *ctx) {
  struct worker *worker = ctx;
  uv_async_send(&worker->wake);
}

static void on_hub_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                       enum hub_lag policy) {
  struct conn *conn = list_entry(reader, struct conn, reader);
  struct worker *worker = conn->worker;
  if (!conn_is_open(conn)) return;
  if (policy == HUB_LAG_CLOSE) {
    conn->ops->lagged(conn);
    return;
  }
  if (reader->form == WIRE_SSE) sse_write_gap(conn, topic, (int64_t)missed);
  if (worker->gap_count == worker->gap_cap) {
    worker->gap_cap = worker->gap_cap == 0 ? 16 : worker->gap_cap * 2;
    worker->gaps = mem_realloc(worker->gaps, worker->gap_cap * sizeof *worker->gaps);
  }
  worker->gaps[worker->gap_count++] =
      (struct pending_gap){conn, mem_strndup(topic.ptr, topic.len), topic.len, missed};
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
  uv_async_send(&worker->wake);
}

static struct worker_call *take_calls(struct worker *worker) {
  pthread_mutex_lock(&worker->mailbox_lock);
  struct worker_call *call = worker->mailbox;
  worker->mailbox = NULL;
  worker->mailbox_tail = &worker->mailbox;
  pthread_mutex_unlock(&worker->mailbox_lock);
  return call;
}

static void on_wake(uv_async_t *async) {
  struct worker *worker = async->data;
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

bool worker_init(struct worker *worker, unsigned index, const struct config *config,
                 const struct app *app, struct hub *hub, struct stats *stats,
                 struct listener *listeners, size_t listener_count) {
  *worker =
      (struct worker){.index = index, .config = config, .app = app, .hub = hub, .stats = stats};
  worker->listeners = listeners;
  worker->listener_count = listener_count;
  worker->timer_due_ms = UINT64_MAX;
  worker->next_conn_id = 1;
  worker->started_ms = clock_mono_ms();
  worker->http_limits =
      (struct http_limits){(uint32_t)config->header_bytes, (uint32_t)config->header_count,
                           (uint32_t)config->url_bytes, config->body_bytes};
  worker->read_buffer = mem_alloc(WORKER_READ_BYTES);
  pthread_mutex_init(&worker->mailbox_lock, NULL);
  worker->mailbox_tail = &worker->mailbox;

  uv_loop_init(&worker->loop);
  wheel_init(&worker->wheel, uv_now(&worker->loop));
  uv_prepare_init(&worker->loop, &worker->turn_end);
  worker->turn_end.data = worker;
  uv_prepare_start(&worker->turn_end, worker_turn_end);
  uv_async_init(&worker->loop, &worker->wake, on_wake);
  worker->wake.data = worker;
  uv_timer_init(&worker->loop, &worker->timer);
  worker->timer.data = worker;

  wheel_timer_init(&worker->grace_timer, on_grace_over);
  wheel_timer_init(&worker->sweep_timer, on_sweep);
  if (index == 0) worker_set_timer(worker, &worker->sweep_timer, HUB_SWEEP_MS);
  worker->port = hub_port_new(hub, &port_ops, worker);
  worker->app_state = app->worker_start(worker, app->ctx);
  return worker->app_state != NULL;
}

static void *run_thread(void *arg) {
  struct worker *worker = arg;
  // Signals are the main thread's.
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGSEGV);
  sigdelset(&all, SIGURG);  // the script watchdog's
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  uv_update_time(&worker->loop);
  for (size_t i = 0; i < worker->listener_count; i++) listener_start(&worker->listeners[i], worker);
  uv_run(&worker->loop, UV_RUN_DEFAULT);
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
  if (!uv_is_closing((uv_handle_t *)&worker->turn_end)) close_handles(worker);
  uv_run(&worker->loop, UV_RUN_DEFAULT);
  if (worker->app_state != NULL) worker->app->worker_stop(worker->app_state);
  uv_loop_close(&worker->loop);
  hub_port_free(worker->port);
  struct worker_call *call = take_calls(worker);  // of a worker that never ran
  while (call != NULL) {
    struct worker_call *next = call->next;
    free(call);
    call = next;
  }
  pthread_mutex_destroy(&worker->mailbox_lock);
  free(worker->listeners);
  free(worker->conns.items);
  free(worker->dirty.items);
  free(worker->closing.items);
  free(worker->gaps);
  free(worker->read_buffer);
}
