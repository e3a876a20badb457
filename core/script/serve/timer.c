// Timers of scripts: see timer.h.
#include "script/serve/timer.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wheel.h"
#include "net/worker.h"
#include "script/reload/generation.h"
#include "script/vm/task.h"

// Lives from timer_push until it has run for the last time or is cancelled.
struct timer {
  struct wheel_timer wheel;
  struct list link;  // in its generation's timers, or vm->timers
  struct vm *vm;
  int call_ref;  // table {fn, args...}
  int box_ref;   // the Lua object, kept while the timer lives
  struct timer **box;
  int args;
  uint64_t delay_ms, interval_ms;
  uint64_t due_ms;
  bool is_background;
  bool is_running;  // its task has not ended: the next turn is left out
  bool is_over;     // to be freed when the running task ends
  char source[64];
};

static const char metatable_name[] = "tidegate.timer";

static void timer_end(struct timer *timer) {
  wheel_cancel(&timer->wheel);
  list_remove(&timer->link);
  if (timer->box != NULL) *timer->box = NULL;
  timer->box = NULL;
  vm_unref(timer->vm, timer->call_ref);
  vm_unref(timer->vm, timer->box_ref);
  timer->call_ref = timer->box_ref = LUA_NOREF;
  timer->is_over = true;
  if (!timer->is_running) free(timer);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task, (void)ok, (void)error;
  struct timer *timer = owner;
  timer->is_running = false;
  if (timer->is_over)
    free(timer);
  else if (timer->interval_ms == 0)
    timer_end(timer);
}

static void describe(void *owner, char *out, size_t size) {
  struct timer *timer = owner;
  snprintf(out, size, "timer=%s", timer->source);
}

static const struct task_owner timer_owner = {on_task_ended, describe, false};

static int push_call(lua_State *L, void *arg) {
  struct timer *timer = arg;
  luaL_checkstack(L, timer->args + 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, timer->call_ref);
  int call = lua_gettop(L);
  for (int i = 1; i <= timer->args + 1; i++) lua_rawgeti(L, call, i);
  return timer->args;
}

static void on_due(struct wheel_timer *wheel) {
  struct timer *timer = list_entry(wheel, struct timer, wheel);
  struct vm *vm = timer->vm;
  if (timer->interval_ms > 0) {
    // From the time it was due, so that it does not drift; turns missed
    // because the worker was busy are left out.
    uint64_t now = worker_now_ms(vm->worker);
    timer->due_ms += timer->interval_ms;
    if (timer->due_ms <= now) timer->due_ms = now + timer->interval_ms;
    wheel_set(&vm->worker->wheel, &timer->wheel, timer->due_ms);
    if (timer->is_running) return;
  }
  timer->is_running = true;
  struct task *task = task_new(vm, &timer_owner, timer);
  if (task == NULL) {  // not enough memory to start: this turn is lost
    on_task_ended(vm, NULL, timer, false, "");
    return;
  }
  task->is_background = timer->is_background;
  task_start(task, push_call, timer);
}

static void timer_start(struct timer *timer) {
  timer->due_ms = worker_now_ms(timer->vm->worker) + timer->delay_ms;
  wheel_set(&timer->vm->worker->wheel, &timer->wheel, timer->due_ms);
}

static void note_source(lua_State *L, struct timer *timer) {
  luaL_where(L, 1);
  snprintf(timer->source, sizeof timer->source, "%s", lua_tostring(L, -1));
  size_t len = strlen(timer->source);
  if (len > 2 && timer->source[len - 2] == ':') timer->source[len - 2] = '\0';
  lua_pop(L, 1);
}

void timer_push(lua_State *L, int fn_index, int args, double delay_s, double interval_s,
                bool on_all) {
  struct vm *vm = vm_of(L);
  fn_index = lua_absindex(L, fn_index);
  struct timer **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, metatable_name);
  lua_insert(L, -args - 1);
  lua_createtable(L, args + 1, 0);
  lua_pushvalue(L, fn_index);
  lua_rawseti(L, -2, 1);
  lua_insert(L, -args - 1);
  for (int i = args; i >= 1; i--) lua_rawseti(L, -i - 1, i + 1);
  // Now: ..., box, call table.
  if (vm->loading != NULL && !on_all && vm->worker->index != 0) {
    lua_pop(L, 1);
    return;
  }
  int call_ref = vm_ref(L);
  lua_pushvalue(L, -1);
  int box_ref = vm_ref(L);
  struct timer *timer = mem_zalloc(sizeof *timer);
  *timer =
      (struct timer){.vm = vm, .call_ref = call_ref, .box_ref = box_ref, .box = box, .args = args};
  timer->delay_ms = (uint64_t)(delay_s * 1000 + 0.5);
  timer->interval_ms = (uint64_t)(interval_s * 1000 + 0.5);
  timer->is_background = vm->loading != NULL || (vm->running != NULL && vm->running->is_background);
  wheel_timer_init(&timer->wheel, on_due);
  list_init(&timer->link);
  note_source(L, timer);
  *box = timer;
  if (vm->loading != NULL) {
    list_append(&vm->loading->timers, &timer->link);
  } else {
    list_append(timer->is_background ? &vm->live->timers : &vm->timers, &timer->link);
    timer_start(timer);
  }
}

static int timer_cancel(lua_State *L) {
  struct timer **box = luaL_checkudata(L, 1, metatable_name);
  if (*box != NULL) timer_end(*box);
  return 0;
}

void timer_open(lua_State *L) {
  luaL_newmetatable(L, metatable_name);
  lua_newtable(L);
  lua_pushcfunction(L, timer_cancel);
  lua_setfield(L, -2, "cancel");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void timer_start_all(struct list *timers) {
  for (struct list *node = timers->next; node != timers; node = node->next) {
    timer_start(list_entry(node, struct timer, link));
  }
}

void timer_cancel_all(struct list *timers) {
  while (!list_is_empty(timers)) timer_end(list_entry(timers->next, struct timer, link));
}
