// The server and the life of its workers: see server.h.
#include "net/server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "net/http1.h"
#include "net/http1_call.h"
#include "net/listen.h"
#include "net/refusal.h"
#include "net/session.h"
#include "net/turn.h"
#include "net/wire.h"
#include "net/ws.h"

uint64_t server_raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// ---- what a worker's loop calls --------------------------------------------

static void on_hub_wake(void *ctx) {
  struct worker *worker = ctx;
  poll_wake(&worker->poll);
}

static const struct hub_port_ops port_ops = {on_hub_wake, session_deliver, session_note_gap};

static void on_wake(struct poll *poll) { worker_run_calls(list_entry(poll, struct worker, poll)); }

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

// ---- the life of a worker --------------------------------------------------

// Prepares a worker: loop, port, listeners bound but not yet accepting, whose array it
// takes over. False when the app's start failed; free_worker is to be called all the same.
static bool init_worker(struct worker *worker, unsigned index, struct server *server,
                        const struct app *app, struct listener *listeners, size_t count) {
  const struct config *config = server->config;
  *worker = (struct worker){.index = index,
                            .config = config,
                            .app = app,
                            .hub = server->hub,
                            .stats = &server->stats,
                            .listeners = listeners,
                            .listener_count = count,
                            .next_conn_id = 1};
  worker->now_ms = worker->started_ms = clock_mono_ms();
  worker->refusals = refusals_new();
  worker->http_limits =
      (struct http_limits){(uint32_t)config->header_bytes, (uint32_t)config->header_count,
                           (uint32_t)config->url_bytes, config->body_bytes};
  worker->read_buffer = mem_alloc(WORKER_READ_BYTES);
  worker_open_mailbox(worker);
  wheel_init(&worker->wheel, worker->now_ms);
  uv_loop_init(&worker->loop);
  worker->loop_watch.ready = on_loop_ready;
  bool is_polling =
      poll_init(&worker->poll, on_wake) &&
      poll_add(&worker->poll, uv_backend_fd(&worker->loop), EPOLLIN, &worker->loop_watch);
  wheel_timer_init(&worker->grace_timer, on_grace_over);
  wheel_timer_init(&worker->sweep_timer, on_sweep);
  ws_open_worker(worker);
  if (index == 0) worker_set_timer(worker, &worker->sweep_timer, HUB_SWEEP_MS);
  worker->port = hub_port_new(server->hub, &port_ops, worker);
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
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_start(&worker->listeners[i], worker, http1_open);
  turn_loop(worker);
  return NULL;
}

static void start_worker(struct worker *worker) {
  worker->has_thread = true;
  pthread_create(&worker->thread, NULL, run_thread, worker);
}

static void join_worker(struct worker *worker) {
  if (worker->has_thread) pthread_join(worker->thread, NULL);
  worker->has_thread = false;
}

// On the worker's thread: stops accepting, lets requests finish, closes sessions,
// and after the grace period cuts what is left.
static void stop_worker(struct worker *worker, void *arg) {
  (void)arg;
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

static void free_worker(struct worker *worker) {
  if (worker->app_state != NULL) worker->app->worker_stop(worker->app_state);
  uv_run(&worker->loop, UV_RUN_DEFAULT);
  uv_loop_close(&worker->loop);
  hub_port_free(worker->port);
  poll_free(&worker->poll);
  worker_close_mailbox(worker);
  refusals_free(worker->refusals);
  output_free_spares(&worker->spare_outputs);
  http1_call_free_spares(worker);
  ws_close_worker(worker);
  free(worker->listeners);
  free(worker->conns.items);
  free(worker->dirty.items);
  free(worker->later.items);
  free(worker->closing.items);
  free(worker->gone.items);
  free(worker->gaps);
  free(worker->read_buffer);
}

// ---- the server ------------------------------------------------------------

// Opens address `i` of the configuration for every worker.
static char *open_address(struct server *server, struct listener **per_worker, size_t i) {
  size_t workers = server->config->workers;
  struct listener *opened = mem_zalloc(workers * sizeof *opened);
  char *error = listen_open(server->config->listen[i], opened, workers,
                            (unsigned)server->config->write_timeout_ms, &server->names[i]);
  for (size_t w = 0; error == NULL && w < workers; w++) per_worker[w][i] = opened[w];
  free(opened);
  return error;
}

char *server_init(struct server *server, const struct config *config, const struct app *app) {
  *server = (struct server){.config = config};
  metric_set(&server->stats.workers, (long long)config->workers);
  server->hub = hub_new(wire_encoders, WIRE_FORMS);
  const struct hub_limits limits = {.max_bytes = config->hub_max_bytes,
                                    .max_topics = (uint32_t)config->max_topics,
                                    .max_subscriptions = config->max_subscriptions};
  hub_limits_set(server->hub, &limits);
  server->workers = mem_zalloc(config->workers * sizeof *server->workers);
  struct listener **per_worker = mem_zalloc(config->workers * sizeof *per_worker);
  for (size_t w = 0; w < config->workers; w++) {
    per_worker[w] = mem_zalloc((config->listen_count + 1) * sizeof **per_worker);
  }
  char *error = NULL;
  size_t opened = 0;
  while (error == NULL && opened < config->listen_count) {
    error = open_address(server, per_worker, opened);
    if (error == NULL) opened++;
  }
  for (size_t w = 0; w < config->workers; w++) {
    bool ok = init_worker(&server->workers[w], (unsigned)w, server, app, per_worker[w], opened);
    server->worker_count++;
    if (!ok && error == NULL) error = mem_strdup("the scripts could not be started");
  }
  free(per_worker);
  return error;
}

void server_start(struct server *server) {
  for (size_t w = 0; w < server->worker_count; w++) start_worker(&server->workers[w]);
  for (size_t i = 0; i < server->config->listen_count; i++)
    log_info("listening on %s", server->names[i]);
}

void server_stop(struct server *server) {
  if (server->is_stopping) return;
  server->is_stopping = true;
  for (size_t w = 0; w < server->worker_count; w++)
    worker_post(&server->workers[w], stop_worker, NULL);
}

void server_join(struct server *server) {
  for (size_t w = 0; w < server->worker_count; w++) join_worker(&server->workers[w]);
}

void server_free(struct server *server) {
  for (size_t i = 0; i < server->config->listen_count; i++) {
    if (server->names[i] != NULL) listen_unlink(server->config->listen[i]);
    free(server->names[i]);
  }
  for (size_t w = 0; w < server->worker_count; w++) free_worker(&server->workers[w]);
  free(server->workers);
  hub_free(server->hub);
}
