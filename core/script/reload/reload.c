// Reloading in two phases: see reload.h.
#include "script/reload/reload.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/reload/bundle.h"
#include "script/reload/config_change.h"
#include "script/reload/control.h"
#include "script/reload/generation.h"
#include "script/reload/watch.h"

enum {
  DEBOUNCE_MS = 50,
  HOLD_MS = 300,       // a failure is one if the files rest for so long after it
  HOLD_MAX_MS = 5000,  // or load after load has failed for so long
  WAITERS_MAX = 64,
};

// What one worker made of the new scripts.
struct part {
  struct reload *reload;
  struct generation *generation;  // NULL: failed
  char *error;
  uint64_t longest_ns;  // that one step took
};

struct reload {
  uv_loop_t *loop;
  uv_async_t step_done;  // a worker has finished its step
  struct server *server;
  const char *dir;
  struct watch *watch;
  struct control *control;
  struct config_change *config_change;
  unsigned number;     // of the live generation
  size_t route_count;  // of the generation being loaded
  bool is_busy;
  bool is_asked_for;  // by a person, who wants to hear of a failure at once
  bool is_wanted_again, is_asked_again;
  uv_timer_t holding;
  char *held;                 // the failure of a load that a change set off
  uint64_t failing_since_ms;  // and none was reported; 0: not
  bool is_stopped;
  int waiters[WAITERS_MAX];  // control clients: of the reload under way, then of the next
  size_t waiter_count, next_waiter_count;

  struct bundle *bundle;
  struct part *parts;  // one per worker
  void (*next_step)(struct reload *reload);
  pthread_mutex_t lock;  // guards outstanding
  pthread_cond_t changed;
  size_t outstanding;  // workers that have not finished the step
};

static void begin(struct reload *reload, bool is_asked_for);

// ---- steps on all workers ------------------------------------------------

static void finish_step(struct reload *reload) {
  pthread_mutex_lock(&reload->lock);
  bool is_last = --reload->outstanding == 0;
  pthread_cond_signal(&reload->changed);
  // Under the lock: reload_stop may free the handle as soon as it is released.
  if (is_last) uv_async_send(&reload->step_done);
  pthread_mutex_unlock(&reload->lock);
}

static void on_all_workers(struct reload *reload, void (*step)(struct worker *worker, void *part),
                           void (*then)(struct reload *reload)) {
  reload->outstanding = reload->server->worker_count;
  reload->next_step = then;
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    worker_post(&reload->server->workers[w], step, &reload->parts[w]);
  }
}

static void take_next_step(struct reload *reload) {
  void (*next)(struct reload * reload) = reload->next_step;
  reload->next_step = NULL;
  if (next != NULL) next(reload);
}

static void on_step_done(uv_async_t *async) {
  struct reload *reload = async->data;
  pthread_mutex_lock(&reload->lock);
  bool is_done = reload->outstanding == 0;
  pthread_mutex_unlock(&reload->lock);
  if (is_done) take_next_step(reload);
}

// One step of loading, and the next in the worker's next turn.
static void load_more(struct worker *worker, void *arg) {
  struct part *part = arg;
  uint64_t start_ns = clock_mono_ns();
  enum generation_progress progress = generation_step(part->generation, &part->error);
  uint64_t busy_ns = clock_mono_ns() - start_ns;
  if (busy_ns > part->longest_ns) part->longest_ns = busy_ns;
  if (progress == GENERATION_MORE) {
    worker_post(worker, load_more, part);
    return;
  }
  if (progress == GENERATION_FAILED) {
    generation_free(part->generation);
    part->generation = NULL;
  }
  log_debug("worker %u was busy loading for %.2f ms at a time", worker->index,
            (double)part->longest_ns / 1e6);
  finish_step(part->reload);
}

static void load_part(struct worker *worker, void *arg) {
  struct part *part = arg;
  struct reload *reload = part->reload;
  part->longest_ns = 0;
  part->generation = generation_begin(worker_app(worker), reload->bundle, reload->number + 1);
  load_more(worker, part);
}

static void switch_part(struct worker *worker, void *arg) {
  struct part *part = arg;
  uint64_t start_ns = clock_mono_ns();
  generation_switch(worker_app(worker), part->generation);
  log_debug("worker %u was busy switching for %.2f ms", worker->index,
            (double)(clock_mono_ns() - start_ns) / 1e6);
  finish_step(part->reload);
}

static void drop_part(struct worker *worker, void *arg) {
  struct part *part = arg;
  (void)worker;
  generation_free(part->generation);
  finish_step(part->reload);
}

// ---- the outcome ---------------------------------------------------------

static void drop_held(struct reload *reload) {
  uv_timer_stop(&reload->holding);
  free(reload->held);
  reload->held = NULL;
}

static void report(struct reload *reload, const char *text) {
  log_error("%s", text);
  reload->failing_since_ms = 0;
}

static void on_held(uv_timer_t *timer) {
  struct reload *reload = timer->data;
  if (watch_is_waiting(reload->watch)) {  // the next load shows whether it was one
    uv_timer_start(timer, on_held, HOLD_MS, 0);
    return;
  }
  report(reload, reload->held);
  drop_held(reload);
}

// Who deletes or copies several files has scripts that cannot load in between, and no fault.
static void hold(struct reload *reload, const char *text) {
  uint64_t now_ms = clock_mono_ms();
  if (reload->failing_since_ms == 0) reload->failing_since_ms = now_ms;
  if (reload->is_asked_for || reload->is_stopped ||
      now_ms - reload->failing_since_ms > HOLD_MAX_MS) {
    report(reload, text);
    return;
  }
  log_debug("%s", text);
  reload->held = mem_strdup(text);
  uv_timer_start(&reload->holding, on_held, HOLD_MS, 0);
}

static void conclude(struct reload *reload, bool ok, char *text) {
  watch_end_load(reload->watch);  // first: who reads the log may save the next change at once
  if (ok) {
    log_info("%s", text);
    reload->failing_since_ms = 0;
  } else {
    hold(reload, text);
  }
  for (size_t i = 0; i < reload->waiter_count; i++) control_answer(reload->waiters[i], ok, text);
  memmove(reload->waiters, reload->waiters + reload->waiter_count,
          reload->next_waiter_count * sizeof(int));
  reload->waiter_count = reload->next_waiter_count;
  reload->next_waiter_count = 0;
  free(text);
  bundle_unref(reload->bundle);
  reload->bundle = NULL;
  reload->is_busy = false;
  if (reload->is_wanted_again && !reload->is_stopped) begin(reload, reload->is_asked_again);
}

static void fail(struct reload *reload, const char *error) {
  conclude(reload, false,
           mem_format("reload failed, generation %u stays: %s", reload->number, error));
}

static void on_switched(struct reload *reload) {
  reload->number++;
  conclude(reload, true,
           mem_format("generation %u is live: %zu scripts, %zu routes", reload->number,
                      bundle_script_count(reload->bundle), reload->route_count));
}

static void on_dropped(struct reload *reload) {
  char *first = NULL;
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    if (first == NULL)
      first = reload->parts[w].error;
    else
      free(reload->parts[w].error);
    reload->parts[w].error = NULL;
  }
  fail(reload, first);
  free(first);
}

static void on_loaded(struct reload *reload) {
  bool ok = true;
  for (size_t w = 0; w < reload->server->worker_count; w++)
    ok = ok && reload->parts[w].generation != NULL;
  if (ok) reload->route_count = reload->parts[0].generation->http_route_count;
  if (ok)
    on_all_workers(reload, switch_part, on_switched);
  else
    on_all_workers(reload, drop_part, on_dropped);
}

// ---- setting off ---------------------------------------------------------

static void begin(struct reload *reload, bool is_asked_for) {
  reload->is_busy = true;
  reload->is_asked_for = is_asked_for;
  reload->is_wanted_again = reload->is_asked_again = false;
  drop_held(reload);
  if (is_asked_for) log_info("loading the scripts, as asked");
  watch_begin_load(reload->watch);
  control_follow(reload->control);
  config_change_look(reload->config_change);
  char *error = NULL;
  reload->bundle = bundle_load(reload->dir, reload->server->config->lua_path, &error);
  if (reload->bundle == NULL) {
    fail(reload, error);
    free(error);
    return;
  }
  on_all_workers(reload, load_part, on_loaded);
}

static void want(struct reload *reload, bool is_asked_for) {
  if (reload->is_stopped) return;
  if (reload->is_busy) {
    reload->is_wanted_again = true;
    reload->is_asked_again |= is_asked_for;
  } else {
    begin(reload, is_asked_for);
  }
}

void reload_request(struct reload *reload) { want(reload, true); }

static void on_change(void *arg) { want(arg, false); }

static void on_control(void *arg, int fd) {
  struct reload *reload = arg;
  if (reload->is_stopped || reload->waiter_count + reload->next_waiter_count == WAITERS_MAX) {
    control_answer(fd, 0, "the server is stopping or busy");
    return;
  }
  // A reload under way may have read the files before they were saved.
  reload->waiters[reload->waiter_count + reload->next_waiter_count] = fd;
  if (reload->is_busy)
    reload->next_waiter_count++;
  else
    reload->waiter_count++;
  reload_request(reload);
}

struct reload *reload_start(uv_loop_t *loop, struct server *server, const char *dir) {
  struct reload *reload = mem_zalloc(sizeof *reload);
  *reload = (struct reload){.loop = loop, .server = server, .dir = dir, .number = 1};
  reload->parts = mem_zalloc(server->worker_count * sizeof *reload->parts);
  for (size_t w = 0; w < server->worker_count; w++) reload->parts[w].reload = reload;
  pthread_mutex_init(&reload->lock, NULL);
  pthread_cond_init(&reload->changed, NULL);
  uv_async_init(loop, &reload->step_done, on_step_done);
  reload->step_done.data = reload;
  uv_timer_init(loop, &reload->holding);
  reload->holding.data = reload;
  struct watch_options options = {.dir = dir,
                                  .mode = server->config->watch,
                                  .debounce_ms = DEBOUNCE_MS,
                                  .interval_ms = server->config->watch_interval_ms};
  struct vm *vm = worker_app(&server->workers[0]);
  reload->watch =
      watch_start(loop, &options, bundle_take_scan(vm->live->bundle), on_change, reload);
  reload->config_change = config_change_new(dir, server->config);
  reload->control = control_start(loop, dir, on_control, reload);
  return reload;
}

static void on_async_closed(uv_handle_t *handle) {
  struct reload *reload = handle->data;
  pthread_mutex_destroy(&reload->lock);
  pthread_cond_destroy(&reload->changed);
  free(reload->parts);
  free(reload);
}

void reload_stop(struct reload *reload) {
  reload->is_stopped = true;
  while (reload->is_busy) {
    pthread_mutex_lock(&reload->lock);
    while (reload->outstanding > 0) pthread_cond_wait(&reload->changed, &reload->lock);
    pthread_mutex_unlock(&reload->lock);
    take_next_step(reload);
  }
  if (reload->held != NULL) log_error("%s", reload->held);
  drop_held(reload);
  uv_close((uv_handle_t *)&reload->holding, NULL);
  watch_stop(reload->watch);
  control_stop(reload->control);
  config_change_free(reload->config_change);
  uv_close((uv_handle_t *)&reload->step_done, on_async_closed);
}
