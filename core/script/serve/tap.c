// Taps: see tap.h.
#include "script/serve/tap.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "script/reload/generation.h"
#include "script/serve/message_info.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

enum { TURN_MESSAGES = 256 };  // that one tap handles in a turn of the loop, if its share lasts

struct taps {
  struct vm *vm;
  struct hub_port *port;
  struct list all;
  atomic_bool is_posted;  // deliver_posted is on its way
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

struct declaration {
  char *pattern;
  int fn_ref;
};

struct declarations {
  struct declaration *all;
  size_t count, cap;
};

bool tap_declare(struct generation *generation, struct slice pattern, int fn_ref) {
  struct declarations *declared = generation_state(generation, &tap_module);
  if (declared->count == HUB_TAPS) return false;
  declared->all =
      mem_grow(declared->all, &declared->cap, declared->count + 1, 8, sizeof *declared->all);
  declared->all[declared->count++] =
      (struct declaration){mem_strndup(pattern.ptr, pattern.len), fn_ref};
  return true;
}

static void forget(struct generation *generation) {
  struct declarations *declared = generation_state(generation, &tap_module);
  for (size_t i = 0; i < declared->count; i++) {
    vm_unref(generation->vm, declared->all[i].fn_ref);
    free(declared->all[i].pattern);
  }
  free(declared->all);
}

// ---- delivering ----------------------------------------------------------

static void deliver_posted(struct worker *worker, void *arg);

// From any thread. Once for all calls before it runs: they would become more and more otherwise,
// as each delivery that leaves something asks for the next.
static void deliver_soon(struct taps *taps) {
  if (!atomic_exchange(&taps->is_posted, true)) worker_post(taps->vm->worker, deliver_posted, taps);
}

static void on_wake(void *ctx) { deliver_soon(ctx); }

static void deliver_posted(struct worker *worker, void *arg) {
  struct taps *taps = arg;
  atomic_store(&taps->is_posted, false);  // first, so that a wake from now on is a new one
  turn_clock_begin_part(&worker->clock);
  for (struct list *node = taps->all.next; node != &taps->all; node = node->next) {
    struct tap *tap = list_entry(node, struct tap, link);
    tap->budget = TURN_MESSAGES;
    if (tap->task == NULL && tap->reader.is_blocked) hub_reader_resume(&tap->reader);
  }
  hub_deliver(taps->port);
  for (struct list *node = taps->all.next; node != &taps->all; node = node->next) {
    if (list_entry(node, struct tap, link)->budget == 0) deliver_soon(taps);
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

static enum work work_of(const void *owner) {
  (void)owner;
  return WORK_BACKGROUND;
}

static const struct task_owner tap_owner = {
    .ended = on_task_ended, .describe = describe, .work = work_of};

static void push_info(lua_State *L, const struct tap *tap, const struct message *m) {
  message_info_push(L, tap->owner->vm->worker->hub, m);
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

static void move_to_end(struct tap *tap) {
  list_remove(&tap->link);
  list_append(&tap->owner->all, &tap->link);
}

// All taps together have a part of the turn. What it does not reach comes first in the next.
static size_t on_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct tap *tap = list_entry(reader, struct tap, reader);
  size_t taken = 0;
  struct turn_clock *clock = &tap->owner->vm->worker->clock;
  if (turn_clock_is_part_over(clock)) tap->budget = 0;
  if (tap->task == NULL && tap->budget > 0) move_to_end(tap);
  turn_clock_begin_share(clock);
  while (taken < batch->count && tap->task == NULL && tap->budget > 0) {
    tap->budget--;
    run(tap, batch->messages[taken++]);
    if (turn_clock_is_share_over(clock) || turn_clock_is_part_over(clock)) tap->budget = 0;
  }
  if (tap->budget == 0) metric_add(&tap->owner->vm->worker->stats->put_off, 1);
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

static void make_port(struct vm *vm, struct taps *taps) {
  static const struct hub_port_ops ops = {on_wake, on_deliver, on_gap};
  if (taps->port != NULL) return;
  taps->vm = vm;
  list_init(&taps->all);
  taps->port = hub_port_new(vm->worker->hub, &ops, taps);
}

static struct tap *find_old(struct taps *taps, const char *pattern, unsigned generation) {
  for (struct list *node = taps->all.next; node != &taps->all; node = node->next) {
    struct tap *tap = list_entry(node, struct tap, link);
    if (tap->generation != generation && strcmp(tap->pattern, pattern) == 0) return tap;
  }
  return NULL;
}

static void open_tap(struct taps *taps, struct declaration *declared, unsigned generation) {
  struct tap *tap = find_old(taps, declared->pattern, generation);
  if (tap == NULL) {
    tap = mem_zalloc(sizeof *tap);
    tap->owner = taps;
    tap->pattern = mem_strdup(declared->pattern);
    tap->fn_ref = LUA_NOREF;
    hub_reader_init(&tap->reader, taps->port, 0, HUB_FORM_NONE);
    hub_join_pattern(&tap->reader, slice_str(tap->pattern));
    list_append(&taps->all, &tap->link);
  }
  vm_unref(taps->vm, tap->fn_ref);
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

static void close_others(struct taps *taps, unsigned generation) {
  struct list *node = taps->all.next;
  while (node != &taps->all) {
    struct tap *tap = list_entry(node, struct tap, link);
    node = node->next;
    if (tap->generation != generation) close_tap(tap);
  }
}

static void switch_to(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  if (vm->worker->index != 0) return;
  struct declarations *declared = generation_state(next, &tap_module);
  struct taps *taps = vm_state(vm, &tap_module);
  if (declared->count == 0 && taps->port == NULL) return;
  make_port(vm, taps);
  // The old ones first, so that there is room for as many new ones.
  for (size_t i = 0; i < declared->count; i++) {
    struct tap *tap = find_old(taps, declared->all[i].pattern, next->number);
    if (tap != NULL) open_tap(taps, &declared->all[i], next->number);
  }
  close_others(taps, next->number);
  for (size_t i = 0; i < declared->count; i++) {
    if (declared->all[i].fn_ref != LUA_NOREF) open_tap(taps, &declared->all[i], next->number);
  }
}

// After all tasks have ended.
static void stop(struct vm *vm) {
  struct taps *taps = vm_state(vm, &tap_module);
  if (taps->port == NULL) return;
  close_others(taps, 0);
  hub_port_free(taps->port);
}

struct script_module tap_module = {.name = "tap",
                                   .forget = forget,
                                   .switch_to = switch_to,
                                   .stop = stop,
                                   .vm_state_bytes = sizeof(struct taps),
                                   .generation_state_bytes = sizeof(struct declarations)};
