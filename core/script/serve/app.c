// The app that runs Lua: see app.h.
#include "script/serve/app.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/server.h"
#include "net/worker.h"
#include "script/reload/bundle.h"
#include "script/serve/dispatch.h"
#include "script/serve/events.h"
#include "script/serve/outbox.h"
#include "script/reload/generation.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

static void watch(struct worker *worker, void *arg) {
  (void)worker;
  watchdog_add(arg, task_running);
}

static void stop_vm(struct vm *vm) {
  vm_stop(vm);  // what scripts do at the end is watched, too
  watchdog_remove(vm);
  vm_free(vm);
}

static void *start_worker(struct worker *worker, void *ctx) {
  struct script_start *start = ctx;
  if (start->error != NULL) return NULL;
  struct vm *vm = vm_new(worker, start->dir, worker->config->vm_memory_bytes, start->modules);
  if (vm == NULL) {
    start->error = mem_strdup("vm_memory is too small to start");
    return NULL;
  }
  // Here on the main thread; the worker's own is watched from its first turn on.
  watchdog_add(vm, task_running);
  struct generation *generation = generation_load(vm, start->bundle, 1, &start->error);
  if (generation == NULL) {
    stop_vm(vm);
    return NULL;
  }
  watchdog_remove(vm);
  if (worker->index == 0) {
    start->route_count = generation->http_route_count;
    if (start->listing != NULL) {
      buf_append_slice(start->listing, buf_slice(&generation->listing));
      outbox_list(generation, start->listing);
    }
  }
  generation_switch(vm, generation);
  worker_post(worker, watch, vm);
  return vm;
}

static void stop_worker(void *state) {
  // The worker's thread has ended, or never began: this one is watched.
  watchdog_remove(state);
  watchdog_add(state, task_running);
  stop_vm(state);
}

void script_log_stuck(const struct server *server) {
  for (size_t w = 0; w < server->worker_count; w++) {
    const struct worker *worker = &server->workers[w];
    if (worker->has_ended) continue;
    char does[256];
    watchdog_ask(worker_app(worker), task_describe_running, does, sizeof does);
    log_error("worker %zu did not end: %s", w, does[0] != '\0' ? does : "it does not answer");
  }
}

struct app script_app(struct script_start *start) {
  return (struct app){
      .worker_start = start_worker,
      .worker_stop = stop_worker,
      .ctx = start,
      .request = dispatch_on_request,
      .request_body = dispatch_on_body,
      .request_drained = dispatch_on_drained,
      .request_closed = dispatch_on_closed,
      .message = events_on_message,
      .gap = events_on_gap,
      .drained = events_on_drained,
      .closed = events_on_closed,
  };
}
