// The server and the life of its workers: see server.h.
#include "net/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "hub/hub.h"
#include "net/http1.h"
#include "net/http1_call.h"
#include "net/listen.h"
#include "net/refusal.h"
#include "net/session.h"
#include "net/turn.h"
#include "net/wire.h"
#include "net/ws.h"

// Descriptors that connections leave alone, for reloads, `tidegate reload` and scripts.
enum { FILES_KEPT = 32 };

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

// By errno.
static char *cannot_start(const struct worker *worker, const char *what) {
  int error = errno;
  char *text = mem_format("cannot start worker %u of %llu, no %s: %s", worker->index + 1,
                          (unsigned long long)worker->config->workers, what, error_text(error));
  if (error != EMFILE) return text;
  char *full = mem_format("%s (the limit is %llu: ulimit -Hn, LimitNOFILE)", text,
                          (unsigned long long)server_raise_open_files());
  free(text);
  return full;
}

// All that no system call can refuse; from here on free_worker is to be called.
static void set_up_worker(struct worker *worker, unsigned index, struct server *server,
                          const struct app *app) {
  const struct config *config = server->config;
  *worker = (struct worker){.index = index,
                            .config = config,
                            .app = app,
                            .hub = server->hub,
                            .stats = &server->stats,
                            .sockets_max = LLONG_MAX,
                            .next_conn_id = 1};
  worker->now_ms = worker->started_ms = clock_mono_ms();
  turn_clock_init(&worker->clock, config->turn_time_ms, config->slow_turn_ms);
  worker->refusals = refusals_new();
  worker->http_limits =
      (struct http_limits){(uint32_t)config->header_bytes, (uint32_t)config->header_count,
                           (uint32_t)config->url_bytes, config->body_bytes};
  worker->read_buffer = mem_alloc(WORKER_READ_BYTES);
  worker_open_mailbox(worker);
  wheel_init(&worker->wheel, worker->now_ms);
  worker->poll.fd = worker->poll.wake_fd = -1;
  worker->loop_watch.ready = on_loop_ready;
  wheel_timer_init(&worker->grace_timer, on_grace_over);
  wheel_timer_init(&worker->sweep_timer, on_sweep);
  ws_open_worker(worker);
  if (index == 0) worker_set_timer(worker, &worker->sweep_timer, HUB_SWEEP_MS);
  worker->port = hub_port_new(server->hub, &port_ops, worker);
}

// With its first loop libuv makes a pipe for signals, and aborts if it cannot: so tries
// whether there are the descriptors that it takes until then.
static bool has_files_for_loop(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  int epoll = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
  bool has_all = epoll >= 0;
  if (has_all) close(epoll);
  close(ends[0]);
  close(ends[1]);
  if (!has_all) errno = EMFILE;
  return has_all;
}

// What it waits with; false, with errno, when the system has no more of that.
static bool open_worker(struct worker *worker) {
  if (!poll_init(&worker->poll, on_wake) || !has_files_for_loop()) return false;
  int failure = uv_loop_init(&worker->loop);
  worker->has_loop = failure == 0;
  if (failure != 0) errno = -failure;
  return worker->has_loop &&
         poll_add(&worker->poll, uv_backend_fd(&worker->loop), EPOLLIN, &worker->loop_watch);
}

// Loop and scripts. NULL, or an error that the caller frees.
static char *init_worker(struct worker *worker) {
  if (!open_worker(worker)) return cannot_start(worker, "event loop");
  worker->app_state = worker->app->worker_start(worker, worker->app->ctx);
  return worker->app_state != NULL ? NULL : mem_strdup("the scripts could not be started");
}

static void *run_thread(void *arg) {
  struct worker *worker = arg;
  number_plain_thread();
  // No signal is blocked here, since the programs that scripts start would inherit that. The
  // kernel prefers the main thread for those of the process.
  worker->now_ms = clock_mono_ms();
  for (size_t i = 0; i < worker->listener_count; i++)
    listener_start(&worker->listeners[i], worker, http1_open);
  turn_loop(worker);
  worker->has_ended = true;
  return NULL;
}

static char *start_worker(struct worker *worker) {
  errno = pthread_create(&worker->thread, NULL, run_thread, worker);
  worker->has_thread = errno == 0;
  return worker->has_thread ? NULL : cannot_start(worker, "thread");
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
  if (worker->has_loop) {
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
  }
  for (size_t i = 0; i < worker->listener_count; i++) listener_stop(&worker->listeners[i]);
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
static char *open_address(struct server *server, size_t i) {
  size_t workers = server->config->workers;
  struct listener *opened = mem_zalloc(workers * sizeof *opened);
  char *error = listen_open(server->config->listen[i], opened, workers,
                            (unsigned)server->config->write_timeout_ms, &server->places[i]);
  for (size_t w = 0; error == NULL && w < workers; w++) {
    struct worker *worker = &server->workers[w];
    worker->listeners[worker->listener_count++] = opened[w];
  }
  free(opened);
  return error;
}

static char *open_addresses(struct server *server) {
  size_t count = server->config->listen_count;
  for (size_t w = 0; w < server->worker_count; w++)
    server->workers[w].listeners = mem_zalloc((count + 1) * sizeof(struct listener));
  char *error = NULL;
  for (size_t i = 0; error == NULL && i < count; i++) error = open_address(server, i);
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
  for (; server->worker_count < config->workers; server->worker_count++)
    set_up_worker(&server->workers[server->worker_count], (unsigned)server->worker_count, server,
                  app);
  char *error = open_addresses(server);
  for (size_t w = 0; error == NULL && w < server->worker_count; w++)
    error = init_worker(&server->workers[w]);
  return error;
}

// ---- descriptors -----------------------------------------------------------

// How many descriptors there are for connections, from what is in use so far: the system
// gives the lowest that is free.
static long long count_free_files(void) {
  struct rlimit limit;
  int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (next < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  close(next);
  return limit.rlim_cur > LLONG_MAX ? LLONG_MAX : (long long)limit.rlim_cur - next;
}

static char *share_files(struct server *server) {
  long long free_files = count_free_files();
  long long kept = free_files / 2 < FILES_KEPT ? free_files / 2 : FILES_KEPT;
  uint64_t wanted = server->config->connections * server->worker_count;
  server->sockets_max = free_files - kept;
  for (size_t w = 0; w < server->worker_count; w++)
    server->workers[w].sockets_max = server->sockets_max;
  if (server->sockets_max < 1)
    return mem_format("the limit of open files leaves none for connections (ulimit -n)");
  if ((uint64_t)server->sockets_max < wanted)
    log_info("open file limit is %lld: at most %lld connections (ulimit -Hn, LimitNOFILE)",
             (long long)server_raise_open_files(), server->sockets_max);
  return NULL;
}

// ---- start and stop --------------------------------------------------------

char *server_start(struct server *server) {
  char *error = share_files(server);
  for (size_t w = 0; error == NULL && w < server->worker_count; w++)
    error = start_worker(&server->workers[w]);
  return error;
}

void server_log_addresses(const struct server *server) {
  for (size_t i = 0; i < server->config->listen_count; i++)
    log_info("listening on %s", server->places[i].name);
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
  for (size_t i = 0; i < server->config->listen_count; i++) listen_close(&server->places[i]);
  for (size_t w = 0; w < server->worker_count; w++) free_worker(&server->workers[w]);
  free(server->workers);
  hub_free(server->hub);
}
