// Reloading in two phases: see reload.h.
#include "script/reload/reload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/reload/bundle.h"
#include "script/reload/config_change.h"
#include "script/reload/control.h"
#include "script/reload/generation.h"
#include "script/reload/watch.h"
#include "script/vm/task.h"
#include "script/vm/watchdog.h"

enum {
  DEBOUNCE_MS = 50,
  HOLD_MS = 300,       // a failure is one if the files rest for so long after it
  HOLD_MAX_MS = 5000,  // or load after load has failed for so long
  WAITERS_MAX = 64,
  LOOK_MS = 1000,  // between two looks at workers that have not finished a step
  RETRY_MS = 100,
  RETRY_MAX_MS = 5000,
  STUCK_LOOKS = 10,  // so many looks without a sign of a worker: it is stuck
};

// What one worker made of the new scripts.
struct part {
  struct reload *reload;
  struct generation *generation;  // NULL: failed
  char *error;
  uint64_t longest_ns;  // that one step took
  atomic_uint signs;    // of life, which the worker counts
  unsigned seen, quiet_looks;
  atomic_bool is_through;  // with the step
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
  atomic_bool is_stopped;
  atomic_bool is_abandoned;  // the load under way: a worker is stuck
  bool is_told_stuck;
  uv_timer_t look, retry;
  uint64_t retry_ms;         // that a failure to read the files waits for the next try; 0: none
  int waiters[WAITERS_MAX];  // control clients: of the reload under way, then of the next
  size_t waiter_count, next_waiter_count;

  struct bundle *bundle;
  struct part *parts;  // one per worker
  void (*next_step)(struct reload *reload);
  pthread_mutex_t lock;  // guards outstanding
  size_t outstanding;    // workers that have not finished the step
};

static void begin(struct reload *reload, bool is_asked_for);
static void want(struct reload *reload, bool is_asked_for);

// ---- steps on all workers ------------------------------------------------

static void finish_step(struct part *part) {
  struct reload *reload = part->reload;
  part->is_through = true;
  pthread_mutex_lock(&reload->lock);
  bool is_last = --reload->outstanding == 0;
  pthread_mutex_unlock(&reload->lock);
  if (is_last) uv_async_send(&reload->step_done);
}

static void on_look(uv_timer_t *timer);

// On `count` workers from the `first` on.
static void on_workers(struct reload *reload, size_t first, size_t count,
                       void (*step)(struct worker *worker, void *part),
                       void (*then)(struct reload *reload)) {
  reload->outstanding = count;
  reload->next_step = then;
  reload->is_told_stuck = false;
  uv_timer_start(&reload->look, on_look, LOOK_MS, LOOK_MS);
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    struct part *part = &reload->parts[w];
    part->is_through = w < first || w >= first + count;
    part->quiet_looks = 0;
    if (!part->is_through) worker_post(&reload->server->workers[w], step, part);
  }
}

static void on_all_workers(struct reload *reload, void (*step)(struct worker *worker, void *part),
                           void (*then)(struct reload *reload)) {
  on_workers(reload, 0, reload->server->worker_count, step, then);
}

static void take_next_step(struct reload *reload) {
  void (*next)(struct reload * reload) = reload->next_step;
  reload->next_step = NULL;
  uv_timer_stop(&reload->look);
  if (next != NULL) next(reload);
}

static void on_step_done(uv_async_t *async) {
  struct reload *reload = async->data;
  pthread_mutex_lock(&reload->lock);
  bool is_done = reload->outstanding == 0;
  pthread_mutex_unlock(&reload->lock);
  if (is_done && !reload->is_stopped) take_next_step(reload);
}

// One step of loading, and the next in the worker's next turn.
static void load_more(struct worker *worker, void *arg) {
  struct part *part = arg;
  part->signs++;
  if (part->reload->is_abandoned || part->reload->is_stopped) {
    generation_free(part->generation);
    part->generation = NULL;
    finish_step(part);
    return;
  }
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
  finish_step(part);
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
  part->generation = NULL;
  log_debug("worker %u was busy switching for %.2f ms", worker->index,
            (double)(clock_mono_ns() - start_ns) / 1e6);
  finish_step(part);
}

static void drop_part(struct worker *worker, void *arg) {
  struct part *part = arg;
  (void)worker;
  generation_free(part->generation);
  part->generation = NULL;
  finish_step(part);
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
  if (reload->is_asked_for || now_ms - reload->failing_since_ms > HOLD_MAX_MS) {
    report(reload, text);
    return;
  }
  log_debug("%s", text);
  reload->held = mem_strdup(text);
  uv_timer_start(&reload->holding, on_held, HOLD_MS, 0);
}

static void answer_waiters(struct reload *reload, bool ok, const char *text) {
  for (size_t i = 0; i < reload->waiter_count; i++) control_answer(reload->waiters[i], ok, text);
  memmove(reload->waiters, reload->waiters + reload->waiter_count,
          reload->next_waiter_count * sizeof(int));
  reload->waiter_count = 0;
}

// Those whose turn is the next load.
static void answer_next_waiters(struct reload *reload, const char *text) {
  reload->waiter_count = reload->next_waiter_count;
  reload->next_waiter_count = 0;
  answer_waiters(reload, false, text);
}

static void conclude(struct reload *reload, bool ok, char *text) {
  watch_end_load(reload->watch);  // first: who reads the log may save the next change at once
  if (ok) {
    log_info("%s", text);
    reload->failing_since_ms = 0;
  } else {
    hold(reload, text);
  }
  answer_waiters(reload, ok, text);
  free(text);
}

// Nothing of the load is left on any worker but what is live.
static void finish(struct reload *reload) {
  bundle_unref(reload->bundle);
  reload->bundle = NULL;
  reload->is_busy = false;
  reload->is_abandoned = false;
  reload->waiter_count = reload->next_waiter_count;
  reload->next_waiter_count = 0;
  if (reload->is_wanted_again && !reload->is_stopped) begin(reload, reload->is_asked_again);
}

static char *failure_text(const struct reload *reload, const char *error) {
  return mem_format("reload failed, generation %u stays: %s", reload->number, error);
}

static void on_switched(struct reload *reload) {
  reload->number++;
  conclude(reload, true,
           mem_format("generation %u is live: %zu scripts, %zu routes", reload->number,
                      bundle_script_count(reload->bundle), reload->route_count));
  finish(reload);
}

// The first, which the caller frees; NULL when none failed.
static char *take_error(struct reload *reload) {
  char *first = NULL;
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    if (first == NULL)
      first = reload->parts[w].error;
    else
      free(reload->parts[w].error);
    reload->parts[w].error = NULL;
  }
  return first;
}

static void on_loaded(struct reload *reload) {
  char *error = take_error(reload);
  const struct generation *first = reload->parts[0].generation;
  if (error == NULL && first != NULL && !reload->is_abandoned) {
    reload->route_count = first->http_route_count;
    on_all_workers(reload, switch_part, on_switched);
    return;
  }
  // Reported before the worker is asked to drop it, which may take a while. Of an abandoned one
  // it was said already.
  if (!reload->is_abandoned) conclude(reload, false, failure_text(reload, error));
  free(error);
  on_all_workers(reload, drop_part, finish);
}

// Scripts that do not load, or that take long until they fail, hold up one worker alone.
static void on_first_loaded(struct reload *reload) {
  size_t others = reload->server->worker_count - 1;
  if (reload->parts[0].generation == NULL || others == 0)
    on_loaded(reload);
  else
    on_workers(reload, 1, others, load_part, on_loaded);
}

// ---- workers that do not answer ------------------------------------------------

static const char later_text[] =
    "a worker is stuck, as the log says: the reload comes once it is free";

// A worker that is stuck in a handler holds up neither the others nor who waits for the outcome.
// A load is given up and tried again once the worker is free; a switch cannot be taken back.
static void on_stuck(struct reload *reload, size_t w) {
  char does[256];
  watchdog_ask(worker_app(&reload->server->workers[w]), task_describe_running, does, sizeof does);
  char *busy = mem_format("worker %zu has not answered for %u s: %s", w,
                          reload->parts[w].quiet_looks * LOOK_MS / 1000,
                          does[0] != '\0' ? does : "not known why");
  char *text = NULL;
  if (reload->next_step == on_first_loaded || reload->next_step == on_loaded) {
    reload->is_abandoned = reload->is_wanted_again = true;
    char *error = mem_format("%s; it is tried again when the worker is free", busy);
    text = failure_text(reload, error);
    free(error);
    log_error("%s", text);
    answer_waiters(reload, false, text);
  } else if (reload->next_step == on_switched) {
    text = mem_format("generation %u is live, but not everywhere: %s", reload->number + 1, busy);
    log_warn("%s", text);
    answer_waiters(reload, true, text);
  }
  if (text != NULL) answer_next_waiters(reload, later_text);
  free(text);
  free(busy);
}

static void on_look(uv_timer_t *timer) {
  struct reload *reload = timer->data;
  unsigned limit = (unsigned)(2 * reload->server->config->handler_time_ms / LOOK_MS);
  if (limit < STUCK_LOOKS) limit = STUCK_LOOKS;
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    struct part *part = &reload->parts[w];
    unsigned signs = part->signs;
    part->quiet_looks = part->is_through || signs != part->seen ? 0 : part->quiet_looks + 1;
    part->seen = signs;
    if (part->quiet_looks < limit || reload->is_told_stuck) continue;
    reload->is_told_stuck = true;  // one is enough
    on_stuck(reload, w);
  }
}

// ---- setting off ---------------------------------------------------------

static void on_retry(uv_timer_t *timer) { want(timer->data, false); }

// The files could not be read. If that was for lack of descriptors and the like, what was saved
// must not be forgotten: it is tried again until it can be, ever more rarely.
static void fail_to_read(struct reload *reload, const char *error, int failure) {
  char *text = failure_text(reload, error);
  if (error_is_transient(failure)) {
    if (reload->retry_ms == 0) log_error("%s; trying again until it can be read", text);
    answer_waiters(reload, false, text);
    reload->retry_ms = reload->retry_ms == 0 ? RETRY_MS : 2 * reload->retry_ms;
    if (reload->retry_ms > RETRY_MAX_MS) reload->retry_ms = RETRY_MAX_MS;
    uv_timer_start(&reload->retry, on_retry, reload->retry_ms, 0);
    free(text);
  } else {
    reload->retry_ms = 0;
    conclude(reload, false, text);
  }
  finish(reload);
}

static void begin(struct reload *reload, bool is_asked_for) {
  uv_timer_stop(&reload->retry);
  reload->is_busy = true;
  reload->is_asked_for = is_asked_for;
  reload->is_wanted_again = reload->is_asked_again = false;
  drop_held(reload);
  if (is_asked_for) log_info("loading the scripts, as asked");
  watch_begin_load(reload->watch);
  control_follow(reload->control);
  char *error = NULL;
  reload->bundle = bundle_load(reload->dir, reload->server->config->lua_path, &error);
  int failure = errno;
  if (!is_asked_for && !watch_was_undisturbed(reload->watch)) {
    log_debug("a script changed while the scripts were read: reading them again");
    finish(reload);
  } else {
    config_change_look(reload->config_change);
    if (reload->bundle == NULL) {
      fail_to_read(reload, error, failure);
    } else {
      reload->retry_ms = 0;
      on_workers(reload, 0, 1, load_part, on_first_loaded);
    }
  }
  free(error);
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
  if (reload->is_busy && reload->is_told_stuck) {
    want(reload, true);
    control_answer(fd, 0, later_text);
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
  uv_async_init(loop, &reload->step_done, on_step_done);
  reload->step_done.data = reload;
  uv_timer_t *const timers[] = {&reload->holding, &reload->look, &reload->retry};
  for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
    uv_timer_init(loop, timers[i]);
    timers[i]->data = reload;
  }
  struct watch_options options = {.dir = dir,
                                  .lua_path = server->config->lua_path,
                                  .mode = server->config->watch,
                                  .debounce_ms = DEBOUNCE_MS,
                                  .interval_ms = server->config->watch_interval_ms};
  struct vm *vm = worker_app(&server->workers[0]);
  reload->watch =
      watch_start(loop, &options, bundle_take_scan(vm->live->bundle), on_change, reload);
  reload->config_change = config_change_new(loop, dir, server->config);
  reload->control = control_start(loop, dir, on_control, reload);
  return reload;
}

void reload_stop(struct reload *reload) {
  reload->is_stopped = true;
  answer_waiters(reload, false, "the server is stopping");
  answer_next_waiters(reload, "the server is stopping");
  if (reload->held != NULL) log_error("%s", reload->held);
  drop_held(reload);
  uv_close((uv_handle_t *)&reload->holding, NULL);
  uv_close((uv_handle_t *)&reload->look, NULL);
  uv_close((uv_handle_t *)&reload->retry, NULL);
  watch_stop(reload->watch);
  control_stop(reload->control);
  config_change_free(reload->config_change);
  // Workers may still report to it, which keeps no loop running.
  uv_unref((uv_handle_t *)&reload->step_done);
}

static void on_async_closed(uv_handle_t *handle) {
  struct reload *reload = handle->data;
  pthread_mutex_destroy(&reload->lock);
  free(reload->parts);
  free(reload);
}

void reload_free(struct reload *reload) {
  for (size_t w = 0; w < reload->server->worker_count; w++) {
    generation_free(reload->parts[w].generation);
    free(reload->parts[w].error);
  }
  bundle_unref(reload->bundle);
  uv_close((uv_handle_t *)&reload->step_done, on_async_closed);
}
