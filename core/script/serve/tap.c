// Server-side subscribers: see tap.h.
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

enum { TURN_MESSAGES = 256 };  // that one subscription handles in a turn of the loop

struct subscriptions {
  struct vm *vm;
  struct hub_port *port;
  struct list all;
  bool is_posted;  // a drain is on its way, from this thread
};

struct subscription {
  struct hub_reader reader;
  struct list link;
  struct subscriptions *owner;
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

bool subscription_declare(struct generation *generation, struct slice pattern, int fn_ref) {
  if (generation->subscriber_count == HUB_TAPS) return false;
  generation->subscribers =
      mem_realloc(generation->subscribers,
                  (generation->subscriber_count + 1) * sizeof *generation->subscribers);
  generation->subscribers[generation->subscriber_count++] =
      (struct subscriber){mem_strndup(pattern.ptr, pattern.len), fn_ref};
  return true;
}

void subscription_forget(struct generation *generation) {
  for (size_t i = 0; i < generation->subscriber_count; i++) {
    vm_unref(generation->vm, generation->subscribers[i].fn_ref);
    free(generation->subscribers[i].pattern);
  }
  free(generation->subscribers);
  generation->subscribers = NULL;
  generation->subscriber_count = 0;
}

// ---- draining ------------------------------------------------------------

static void drain_posted(struct worker *worker, void *arg);

static void drain_soon(struct subscriptions *all) {
  if (all->is_posted) return;
  all->is_posted = true;
  worker_post(all->vm->worker, drain_posted, all);
}

// From any thread; at most once until the next drain.
static void on_wake(void *ctx) {
  struct subscriptions *all = ctx;
  worker_post(all->vm->worker, drain_posted, all);
}

static void drain_posted(struct worker *worker, void *arg) {
  (void)worker;
  struct subscriptions *all = arg;
  all->is_posted = false;
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    struct subscription *s = list_entry(node, struct subscription, link);
    s->budget = TURN_MESSAGES;
    if (s->task == NULL && s->reader.is_blocked) hub_reader_resume(&s->reader);
  }
  hub_deliver(all->port);
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    if (list_entry(node, struct subscription, link)->budget == 0) drain_soon(all);
  }
}

// ---- a message -----------------------------------------------------------

static void subscription_free(struct subscription *s) {
  vm_unref(s->owner->vm, s->fn_ref);
  free(s->pattern);
  free(s);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task, (void)ok, (void)error;
  struct subscription *s = owner;
  s->task = NULL;
  if (s->is_closed)
    subscription_free(s);
  else if (!s->is_starting)
    drain_soon(s->owner);
}

static void describe(void *owner, char *out, size_t size) {
  struct subscription *s = owner;
  snprintf(out, size, "subscribe=%s", s->pattern);
}

static const struct task_owner subscription_owner = {on_task_ended, describe, false};

static void push_info(lua_State *L, const struct subscription *s, const struct message *m) {
  bind_push_message_info(L, s->owner->vm->worker->hub, m);
  if (s->missed == 0) return;
  lua_pushinteger(L, (lua_Integer)s->missed);
  lua_setfield(L, -2, "missed");
}

struct call {
  struct subscription *subscription;
  const struct message *message;
};

static int push_call(lua_State *L, void *arg) {
  const struct call *call = arg;
  struct subscription *s = call->subscription;
  lua_rawgeti(L, LUA_REGISTRYINDEX, s->fn_ref);
  vm_push_slice(L, message_topic(call->message));
  vm_push_slice(L, message_payload(call->message));
  push_info(L, s, call->message);
  s->missed = 0;
  s->has_begun = true;
  return 3;
}

static void run(struct subscription *s, const struct message *m) {
  struct call call = {s, m};
  s->is_starting = true;
  s->has_begun = false;
  s->task = task_new(s->owner->vm, &subscription_owner, s);
  if (s->task != NULL) task_start(s->task, push_call, &call);
  // Not enough memory even to start: the message is lost to it, and it is told.
  if (!s->has_begun) s->missed++;
  s->is_starting = false;
}

static size_t on_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct subscription *s = list_entry(reader, struct subscription, reader);
  size_t taken = 0;
  while (taken < batch->count && s->task == NULL && s->budget > 0) {
    s->budget--;
    run(s, batch->messages[taken++]);
  }
  if (s->task != NULL || s->budget == 0) reader->is_blocked = true;
  return taken;
}

static void on_gap(struct hub_reader *reader, struct slice pattern, uint64_t missed,
                   enum hub_lag policy) {
  (void)policy;
  struct subscription *s = list_entry(reader, struct subscription, reader);
  s->missed += missed;
  log_warn("subscribe=%.*s is too slow: it missed %llu messages", (int)pattern.len, pattern.ptr,
           (unsigned long long)missed);
}

// ---- going live ----------------------------------------------------------

static struct subscriptions *subscriptions_of(struct vm *vm) {
  static const struct hub_port_ops ops = {on_wake, on_deliver, on_gap};
  if (vm->subscriptions != NULL) return vm->subscriptions;
  struct subscriptions *all = mem_zalloc(sizeof *all);
  all->vm = vm;
  list_init(&all->all);
  all->port = hub_port_new(vm->worker->hub, &ops, all);
  vm->subscriptions = all;
  return all;
}

static struct subscription *find_old(struct subscriptions *all, const char *pattern,
                                     unsigned generation) {
  for (struct list *node = all->all.next; node != &all->all; node = node->next) {
    struct subscription *s = list_entry(node, struct subscription, link);
    if (s->generation != generation && strcmp(s->pattern, pattern) == 0) return s;
  }
  return NULL;
}

static void open_subscription(struct subscriptions *all, struct subscriber *subscriber,
                              unsigned generation) {
  struct subscription *s = find_old(all, subscriber->pattern, generation);
  if (s == NULL) {
    s = mem_zalloc(sizeof *s);
    s->owner = all;
    s->pattern = mem_strdup(subscriber->pattern);
    s->fn_ref = LUA_NOREF;
    hub_reader_init(&s->reader, all->port, 0, HUB_FORM_NONE);
    hub_join_pattern(&s->reader, slice_str(s->pattern));
    list_append(&all->all, &s->link);
  }
  vm_unref(all->vm, s->fn_ref);
  s->fn_ref = subscriber->fn_ref;
  subscriber->fn_ref = LUA_NOREF;
  s->generation = generation;
}

static void close_subscription(struct subscription *s) {
  hub_reader_close(&s->reader);
  list_remove(&s->link);
  s->is_closed = true;
  if (s->task == NULL) subscription_free(s);
}

static void close_others(struct subscriptions *all, unsigned generation) {
  struct list *node = all->all.next;
  while (node != &all->all) {
    struct subscription *s = list_entry(node, struct subscription, link);
    node = node->next;
    if (s->generation != generation) close_subscription(s);
  }
}

void subscription_switch(struct vm *vm, struct generation *generation) {
  if (vm->worker->index != 0) return;
  if (generation->subscriber_count == 0 && vm->subscriptions == NULL) return;
  struct subscriptions *all = subscriptions_of(vm);
  // The old ones first, so that there is room for as many new ones.
  for (size_t i = 0; i < generation->subscriber_count; i++) {
    struct subscription *s = find_old(all, generation->subscribers[i].pattern, generation->number);
    if (s != NULL) open_subscription(all, &generation->subscribers[i], generation->number);
  }
  close_others(all, generation->number);
  for (size_t i = 0; i < generation->subscriber_count; i++) {
    if (generation->subscribers[i].fn_ref != LUA_NOREF)
      open_subscription(all, &generation->subscribers[i], generation->number);
  }
}

void subscription_free_all(struct vm *vm) {
  struct subscriptions *all = vm->subscriptions;
  if (all == NULL) return;
  close_others(all, 0);
  hub_port_free(all->port);
  free(all);
  vm->subscriptions = NULL;
}
