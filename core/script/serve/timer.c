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
#include "script/vm/box.h"
#include "script/vm/task.h"

enum { SOURCE_BYTES = 64 };

// The memory of its box in Lua, so that vm_memory bounds how many there are. What it calls is in
// the user values: the function, then its arguments. A reference holds it while it is to run.
struct timer {
  struct wheel_timer wheel;
  struct list link;  // among the timers of its generation, or of the VM
  struct vm *vm;
  int ref;
  int args;
  uint64_t delay_ms, interval_ms;
  uint64_t due_ms;
  bool is_started;  // not while the generation that makes it loads
  bool is_background;
  bool is_running;  // its task has not ended: the next turn is left out
  bool is_over;     // let go of, or to be when the running task ends
  char source[SOURCE_BYTES];
};

static struct box_type timer_type = {.name = "tidegate.timer"};

// Of a generation: made while loading, or by what loading started. Of the VM: the rest.
struct timers {
  struct list all;
  int *cancelled;  // references to older timers that the scripts of a generation cancel
  size_t cancelled_count, cancelled_cap;
};

// Scripts may hold its box for long.
static void let_go(struct timer *timer) {
  lua_State *L = timer->vm->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, timer->ref);
  for (int i = 1; i <= timer->args + 1; i++) {
    lua_pushnil(L);
    lua_setiuservalue(L, -2, i);
  }
  vm_unref(timer->vm, timer->ref);  // the timer may be collected from the next line on
  lua_pop(L, 1);
}

static void timer_end(struct timer *timer) {
  wheel_cancel(&timer->wheel);
  list_remove(&timer->link);
  timer->is_over = true;
  if (!timer->is_running) let_go(timer);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task, (void)ok, (void)error;
  struct timer *timer = owner;
  timer->is_running = false;
  if (timer->is_over)
    let_go(timer);
  else if (timer->interval_ms == 0)
    timer_end(timer);
}

static void describe(void *owner, char *out, size_t size) {
  struct timer *timer = owner;
  snprintf(out, size, "timer=%s", timer->source);
}

static const struct task_owner timer_owner = {.ended = on_task_ended, .describe = describe};

static int push_call(lua_State *L, void *arg) {
  struct timer *timer = arg;
  luaL_checkstack(L, timer->args + 4, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, timer->ref);
  int box = lua_gettop(L);
  for (int i = 1; i <= timer->args + 1; i++) lua_getiuservalue(L, box, i);
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
  timer->is_started = true;
  timer->due_ms = worker_now_ms(timer->vm->worker) + timer->delay_ms;
  wheel_set(&timer->vm->worker->wheel, &timer->wheel, timer->due_ms);
}

static void copy_source(lua_State *L, char source[SOURCE_BYTES]) {
  luaL_where(L, 1);
  snprintf(source, SOURCE_BYTES, "%s", lua_tostring(L, -1));
  size_t len = strlen(source);
  if (len > 2 && source[len - 2] == ':') source[len - 2] = '\0';
  lua_pop(L, 1);
}

// Where a timer is kept that is being made.
static struct timers *timers_of_new(const struct vm *vm, const struct timer *timer) {
  const struct generation *generation = vm->loading;
  if (generation == NULL && timer->is_background) generation = vm->live;
  if (generation == NULL) return vm_state(vm, &timer_module);
  return generation_state(generation, &timer_module);
}

// Pushes its box, with the function and the arguments on top of the stack, which are popped.
static struct timer *push_box(lua_State *L, int fn_index, int args) {
  struct timer *timer = box_push(L, &timer_type, sizeof *timer, args + 1);
  *timer = (struct timer){.vm = vm_of(L), .ref = LUA_NOREF, .args = args, .is_over = true};
  wheel_timer_init(&timer->wheel, on_due);
  list_init(&timer->link);
  lua_insert(L, -args - 1);
  for (int i = args; i >= 1; i--) lua_setiuservalue(L, -i - 1, i + 1);
  lua_pushvalue(L, fn_index);
  lua_setiuservalue(L, -2, 1);
  return timer;
}

void timer_push(lua_State *L, int fn_index, int args, double delay_s, double interval_s,
                bool on_all) {
  struct vm *vm = vm_of(L);
  struct timer *timer = push_box(L, lua_absindex(L, fn_index), args);
  if (vm->loading != NULL && !on_all && vm->worker->index != 0) return;
  copy_source(L, timer->source);
  timer->delay_ms = (uint64_t)(delay_s * 1000 + 0.5);
  timer->interval_ms = (uint64_t)(interval_s * 1000 + 0.5);
  timer->is_background = vm->loading != NULL || (vm->running != NULL && vm->running->is_background);
  wheel_timer_set_kind(&timer->wheel, timer->is_background ? WORK_BACKGROUND : WORK_STARTED);
  lua_pushvalue(L, -1);
  timer->ref = vm_ref(L);  // the last that may raise: from here on there is something to end
  timer->is_over = false;
  list_append(&timers_of_new(vm, timer)->all, &timer->link);
  if (vm->loading == NULL) timer_start(timer);
}

// ---- the module ----------------------------------------------------------

// Keeps the timer at index 1 for when the generation that loads goes live: if it fails, the
// timer runs on.
static void cancel_later(lua_State *L, struct generation *loading) {
  struct timers *timers = generation_state(loading, &timer_module);
  lua_settop(L, 1);
  int ref = vm_ref(L);
  timers->cancelled = mem_grow(timers->cancelled, &timers->cancelled_cap,
                               timers->cancelled_count + 1, 4, sizeof *timers->cancelled);
  timers->cancelled[timers->cancelled_count++] = ref;
}

static int timer_cancel(lua_State *L) {
  struct timer *timer = box_check(L, 1, &timer_type);
  if (timer->is_over) return 0;
  if (vm_of(L)->loading != NULL && timer->is_started)
    cancel_later(L, vm_of(L)->loading);
  else
    timer_end(timer);
  return 0;
}

static void end_cancelled(struct vm *vm, const struct timers *timers) {
  for (size_t i = 0; i < timers->cancelled_count; i++) {
    lua_rawgeti(vm->L, LUA_REGISTRYINDEX, timers->cancelled[i]);
    struct timer *timer = lua_touserdata(vm->L, -1);
    if (!timer->is_over) timer_end(timer);
    lua_pop(vm->L, 1);
  }
}

static void open_module(lua_State *L) {
  struct timers *timers = vm_state(vm_of(L), &timer_module);
  list_init(&timers->all);
  box_new_type(L, &timer_type);
  lua_newtable(L);
  lua_pushcfunction(L, timer_cancel);
  lua_setfield(L, -2, "cancel");
  lua_setfield(L, -2, "__index");
}

static void end_all(struct timers *timers) {
  struct list *node;
  while ((node = list_pop(&timers->all)) != NULL) timer_end(list_entry(node, struct timer, link));
}

static void declare(struct generation *generation) {
  struct timers *timers = generation_state(generation, &timer_module);
  list_init(&timers->all);
}

static void forget(struct generation *generation) {
  struct timers *timers = generation_state(generation, &timer_module);
  end_all(timers);
  for (size_t i = 0; i < timers->cancelled_count; i++)
    vm_unref(generation->vm, timers->cancelled[i]);
  free(timers->cancelled);
}

static void start_all(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  struct timers *timers = generation_state(next, &timer_module);
  end_cancelled(vm, timers);
  for (struct list *node = timers->all.next; node != &timers->all; node = node->next)
    timer_start(list_entry(node, struct timer, link));
}

static void stop(struct vm *vm) { end_all(vm_state(vm, &timer_module)); }

struct script_module timer_module = {.name = "timer",
                                     .open = open_module,
                                     .declare = declare,
                                     .forget = forget,
                                     .switch_to = start_all,
                                     .stop = stop,
                                     .vm_state_bytes = sizeof(struct timers),
                                     .generation_state_bytes = sizeof(struct timers)};
