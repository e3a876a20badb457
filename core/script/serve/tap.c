// Taps: see tap.h.
#include "script/serve/tap.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "script/bind/bind.h"
#include "script/reload/generation.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

enum { TURN_MESSAGES = 256 };  // that one tap handles in a turn of the loop

struct taps {
  struct vm *vm;
  struct hub_port *port;
  struct list all;
  bool is_posted;  // deliver_posted is on its way, from this thread
};

struct tap {
  struct hub_reader reader;
  struct list link;
  struct taps *owner;
  char *pattern;
  int fn_ref;
  unsigned generation;  // that declared it last
  struct task *task;    // of the message being handled
  unsigned budget;      // messages left in this turn
  uint64_t missed;      // since the last message
  bool is_starting;     // its task is being started: it may end at once
  bool has_begun;       // the handler was called with the last message
  bool is_closed;       // to be freed when the task has ended
};

// ---- what generations declare --------------------------------------------

bool tap_declare(struct generation *generation, struct slice pattern, int fn_ref) {
  if (generation->tap_count == HUB_TAPS) return false;
  generation->taps =
      mem_realloc(generation->taps, (generation->tap_count + 1) * sizeof *generation->taps);
  generation->taps[generation->tap_count++] =
      (struct tap_declaration){mem_strndup(pattern.ptr, pattern.len), fn_ref};
  return true;
}

void tap_forget(struct generation *generation) {
  for (size_t i = 0; i < generation->tap_count; i++) {
    vm_unref(generation->vm, generation->taps[i].fn_ref);
    free(generation->taps[i].pattern);
  }
  free(generation->taps);
  generation->taps = NULL;
  generation->tap_count = 0;
}

// ---- delivering ----------------------------------------------------------

static void deliver_posted(struct worker *worker, void *arg);

static void deliver_soon(struct taps *all) {
  if (all->is_posted) return;
  all->is_posted = true;
  worker_post(all->vm->worker, deliver_posted, all);
}

// From any thread; at most once until the next delivery.
static void on_wake(void *ctx) {
  struct taps *all = ctx;
  worker_post(all->vm->worker, deliver_posted, all);
}

static void deliver_posted(struct worker *worker, void *arg) {
  (void)worker;
  struct taps *all = arg;
  all->is_posted = false;
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    struct tap *tap = list_entry(node, struct tap, link);
    tap->budget = TURN_MESSAGES;
    if (tap->task == NULL && tap->reader.is_blocked) hub_reader_resume(&tap->reader);
  }
  hub_deliver(all->port);
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    if (list_entry(node, struct tap, link)->budget == 0) deliver_soon(all);
  }
}

// ---- a message -----------------------------------------------------------

static void tap_free(struct tap *tap) {
  vm_unref(tap->owner->vm, tap->fn_ref);
  free(tap->pattern);
  free(tap);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task, (void)ok, (void)error;
  struct tap *tap = owner;
  tap->task = NULL;
  if (tap->is_closed)
    tap_free(tap);
  else if (!tap->is_starting)
    deliver_soon(tap->owner);
}

static void describe(void *owner, char *out, size_t size) {
  struct tap *tap = owner;
  snprintf(out, size, "subscribe=%s", tap->pattern);
}

static const struct task_owner tap_owner = {on_task_ended, describe, false};

static void push_info(lua_State *L, const struct tap *tap, const struct message *m) {
  bind_push_message_info(L, tap->owner->vm->worker->hub, m);
  if (tap->missed == 0) return;
  lua_pushinteger(L, (lua_Integer)tap->missed);
  lua_setfield(L, -2, "missed");
}

struct call {
  struct tap *tap;
  const struct message *message;
};

static int push_call(lua_State *L, void *arg) {
  const struct call *call = arg;
  struct tap *tap = call->tap;
  lua_rawgeti(L, LUA_REGISTRYINDEX, tap->fn_ref);
  vm_push_slice(L, message_topic(call->message));
  vm_push_slice(L, message_payload(call->message));
  push_info(L, tap, call->message);
  tap->missed = 0;
  tap->has_begun = true;
  return 3;
}

static void run(struct tap *tap, const struct message *m) {
  struct call call = {tap, m};
  tap->is_starting = true;
  tap->has_begun = false;
  tap->task = task_new(tap->owner->vm, &tap_owner, tap);
  if (tap->task != NULL) task_start(tap->task, push_call, &call);
  // Not enough memory even to start: the message is lost to it, and it is told.
  if (!tap->has_begun) tap->missed++;
  tap->is_starting = false;
}

static size_t on_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct tap *tap = list_entry(reader, struct tap, reader);
  size_t taken = 0;
  while (taken < batch->count && tap->task == NULL && tap->budget > 0) {
    tap->budget--;
    run(tap, batch->messages[taken++]);
  }
  if (tap->task != NULL || tap->budget == 0) reader->is_blocked = true;
  return taken;
}

static void on_gap(struct hub_reader *reader, struct slice pattern, uint64_t missed,
                   enum hub_lag policy) {
  (void)policy;
  struct tap *tap = list_entry(reader, struct tap, reader);
  tap->missed += missed;
  log_warn("subscribe=%.*s is too slow: it missed %llu messages", (int)pattern.len, pattern.ptr,
           (unsigned long long)missed);
}

// ---- going live ----------------------------------------------------------

static struct taps *taps_of(struct vm *vm) {
  static const struct hub_port_ops ops = {on_wake, on_deliver, on_gap};
  if (vm->taps != NULL) return vm->taps;
  struct taps *all = mem_zalloc(sizeof *all);
  all->vm = vm;
  list_init(&all->all);
  all->port = hub_port_new(vm->worker->hub, &ops, all);
  vm->taps = all;
  return all;
}

static struct tap *find_old(struct taps *all, const char *pattern, unsigned generation) {
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    struct tap *tap = list_entry(node, struct tap, link);
    if (tap->generation != generation && strcmp(tap->pattern, pattern) == 0) return tap;
  }
  return NULL;
}

static void open_tap(struct taps *all, struct tap_declaration *declared, unsigned generation) {
  struct tap *tap = find_old(all, declared->pattern, generation);
  if (tap == NULL) {
    tap = mem_zalloc(sizeof *tap);
    tap->owner = all;
    tap->pattern = mem_strdup(declared->pattern);
    tap->fn_ref = LUA_NOREF;
    hub_reader_init(&tap->reader, all->port, 0, HUB_FORM_NONE);
    hub_join_pattern(&tap->reader, slice_str(tap->pattern));
    list_append(&all->all, &tap->link);
  }
  vm_unref(all->vm, tap->fn_ref);
  tap->fn_ref = declared->fn_ref;
  declared->fn_ref = LUA_NOREF;
  tap->generation = generation;
}

static void close_tap(struct tap *tap) {
  hub_reader_close(&tap->reader);
  list_remove(&tap->link);
  tap->is_closed = true;
  if (tap->task == NULL) tap_free(tap);
}

static void close_others(struct taps *all, unsigned generation) {
  struct list *node = all->all.next;
  while (node != &all->all) {
    struct tap *tap = list_entry(node, struct tap, link);
    node = node->next;
    if (tap->generation != generation) close_tap(tap);
  }
}

void tap_switch(struct vm *vm, struct generation *generation) {
  if (vm->worker->index != 0) return;
  if (generation->tap_count == 0 && vm->taps == NULL) return;
  struct taps *all = taps_of(vm);
  // The old ones first, so that there is room for as many new ones.
  for (size_t i = 0; i < generation->tap_count; i++) {
    struct tap *tap = find_old(all, generation->taps[i].pattern, generation->number);
    if (tap != NULL) open_tap(all, &generation->taps[i], generation->number);
  }
  close_others(all, generation->number);
  for (size_t i = 0; i < generation->tap_count; i++) {
    if (generation->taps[i].fn_ref != LUA_NOREF)
      open_tap(all, &generation->taps[i], generation->number);
  }
}

void tap_free_all(struct vm *vm) {
  struct taps *all = vm->taps;
  if (all == NULL) return;
  close_others(all, 0);
  hub_port_free(all->port);
  free(all);
  vm->taps = NULL;
}
