// Tasks: see task.h.
#include "script/vm/task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/worker.h"
#include "script/vm/watchdog.h"

enum { POOL_MAX = 256, ERROR_BYTES = 1024, LONGEST_WAIT_S = 1000000000 };

static void on_timer(struct wheel_timer *timer) {
  struct task *task = list_entry(timer, struct task, timer);
  task->on_timeout(task);
}

static int make_task(lua_State *L) {
  struct task **made = lua_touserdata(L, 1);
  lua_State *co = lua_newthread(L);
  int ref = vm_ref(L);
  struct task *task = mem_zalloc(sizeof *task);
  task->vm = vm_of(L);
  task->co = co;
  task->co_ref = ref;
  wheel_timer_init(&task->timer, on_timer);
  list_init(&task->wait_link);
  *made = task;
  return 0;
}

struct task *task_new(struct vm *vm, const struct task_owner *ops, void *owner) {
  struct tasks *tasks = tasks_of(vm);
  struct task *task = tasks->idle;
  if (task != NULL) {
    tasks->idle = task->next_idle;
    tasks->idle_count--;
  } else if (!vm_enter(vm, make_task, &task, "starting a task")) {
    return NULL;
  }
  task->owner_ops = ops;
  task->owner = owner;
  task->waits_for = NULL;
  task->detach = NULL;
  task->is_waiting = false;
  task->is_background = vm->running != NULL && vm->running->is_background;
  list_append(&tasks->all, &task->link);
  return task;
}

static void task_free(struct task *task) {
  vm_unref(task->vm, task->co_ref);
  free(task);
}

// Back to the pool; a coroutine that failed is not used again (an error in a
// hook leaves its hooks disabled).
static void retire(struct task *task, bool is_reusable) {
  struct tasks *tasks = tasks_of(task->vm);
  list_remove(&task->link);
  if (wheel_timer_is_set(&task->timer)) wheel_cancel(&task->timer);
  if (!is_reusable || tasks->idle_count >= POOL_MAX) {
    task_free(task);
    return;
  }
  task->next_idle = tasks->idle;
  tasks->idle = task;
  tasks->idle_count++;
}

// ---- the end of a task ---------------------------------------------------

// Makes a traceback where there is memory for one.
static int push_traceback(lua_State *L) {
  struct task *task = lua_touserdata(L, 1);
  lua_settop(L, 0);
  const char *message = lua_tostring(task->co, -1);
  if (message == NULL) {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(task->co, -1));
    message = lua_tostring(L, -1);
  }
  luaL_traceback(L, task->co, message, 0);
  lua_pushlightuserdata(L, task);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);  // registry[task] = text, until the log line is out
  return 0;
}

static const char *take_traceback(struct task *task) {
  if (!vm_enter(task->vm, push_traceback, task, "traceback")) return NULL;
  lua_rawgetp(task->vm->L, LUA_REGISTRYINDEX, task);
  return lua_tostring(task->vm->L, -1);
}

static void log_failure(struct task *task) {
  lua_State *L = task->vm->L;
  int top = lua_gettop(L);
  char who[300] = "";
  if (task->owner != NULL && task->owner_ops->describe != NULL) {
    task->owner_ops->describe(task->owner, who, sizeof who);
  }
  const char *text = take_traceback(task);
  if (text == NULL && lua_type(task->co, -1) == LUA_TSTRING) text = lua_tostring(task->co, -1);
  log_error("%s%s%s", text != NULL ? text : "unknown error", who[0] != '\0' ? "\n" : "", who);
  lua_settop(L, top);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, task);
}

// Closes what the coroutine has to close (__close runs Lua, so it is watched).
static void reset_coroutine(struct task *task) {
  struct vm *vm = task->vm;
  struct task *outer = vm->running;
  vm->running = task;
  unsigned long serial = watchdog_enter(vm, task->co);
  lua_resetthread(task->co);
  watchdog_leave(vm, serial, task->co);
  vm->running = outer;
  lua_settop(task->co, 0);
}

// The error on top of the coroutine's stack, for who reads no log.
// Not lua_tostring for a number: it may raise, and nothing here is protected.
static void copy_error(lua_State *co, char *out, size_t size) {
  if (lua_type(co, -1) == LUA_TSTRING)
    snprintf(out, size, "%s", lua_tostring(co, -1));
  else if (lua_type(co, -1) == LUA_TNUMBER)
    snprintf(out, size, "%.14g", lua_tonumber(co, -1));
  else
    snprintf(out, size, "(error object is a %s value)", luaL_typename(co, -1));
}

static void end_task(struct task *task, int status) {
  struct vm *vm = task->vm;
  bool ok = status == LUA_OK;
  char error[ERROR_BYTES];
  error[0] = '\0';
  if (!ok) {
    if (!task->owner_ops->is_quiet) log_failure(task);
    copy_error(task->co, error, sizeof error);
    reset_coroutine(task);
  }
  lua_settop(task->co, 0);
  const struct task_owner *ops = task->owner_ops;
  void *owner = task->owner;
  retire(task, ok);
  if (owner != NULL && ops->ended != NULL) ops->ended(vm, task, owner, ok, error);
}

static int push_yield_error(lua_State *L) {
  struct task *task = lua_touserdata(L, 1);
  lua_settop(task->co, 0);
  lua_pushliteral(L, "coroutine.yield was called outside a coroutine of the script's own");
  lua_xmove(L, task->co, 1);
  return 0;
}

void task_resume(struct task *task, int args) {
  struct vm *vm = task->vm;
  struct task *outer = vm->running;
  if (wheel_timer_is_set(&task->timer)) wheel_cancel(&task->timer);
  task->waits_for = NULL;
  task->detach = NULL;
  task->is_waiting = false;
  vm->running = task;
  unsigned long serial = watchdog_enter(vm, task->co);
  int results = 0;
  // From the task that wakes this one, so that Lua's own bound of nested calls holds
  // for chains of tasks that wake each other; the C stack has no other.
  int status = lua_resume(task->co, outer != NULL ? outer->co : vm->L, args, &results);
  watchdog_leave(vm, serial, task->co);
  vm->running = outer;
  if (status == LUA_YIELD) {
    if (task->is_waiting) return;
    vm_enter(vm, push_yield_error, task, "coroutine.yield");
    status = LUA_ERRRUN;
  }
  end_task(task, status);
}

static int return_nothing(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status, (void)ctx;
  return 0;
}

// The bottom of every coroutine.
static int begin(lua_State *L) {
  struct task *task = vm_of(L)->running;
  int args = task->push(L, task->push_arg);
  lua_callk(L, args, 0, 0, return_nothing);
  return 0;
}

void task_start(struct task *task, int (*push)(lua_State *L, void *arg), void *arg) {
  task->push = push;
  task->push_arg = arg;
  lua_pushcfunction(task->co, begin);
  task_resume(task, 0);
}

// ---- waiting -------------------------------------------------------------

struct task *task_current(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (vm->loading != NULL) luaL_error(L, "cannot wait while scripts load");
  if (vm->running == NULL || vm->running->co != L) {
    luaL_error(L, "cannot wait inside a coroutine of the script's own; use gate.spawn");
  }
  if (!lua_isyieldable(L)) {
    luaL_error(L,
               "cannot wait here: in a function that was called by one that cannot be "
               "interrupted (gsub, sort, gate.keep, require, a metamethod)");
  }
  return vm->running;
}

int task_wait(lua_State *L, lua_KFunction then) {
  task_current(L)->is_waiting = true;
  return lua_yieldk(L, 0, 0, then);
}

void task_set_wait(struct task *task, void *waits_for, void (*detach)(struct task *task)) {
  task->waits_for = waits_for;
  task->detach = detach;
}

void task_set_timeout(struct task *task, double seconds, void (*on_timeout)(struct task *task)) {
  if (!(seconds > 0)) seconds = 0;
  if (seconds > LONGEST_WAIT_S) seconds = LONGEST_WAIT_S;
  task->on_timeout = on_timeout;
  worker_set_timer(task->vm->worker, &task->timer, (uint64_t)(seconds * 1000 + 0.5));
}

// ---- killing -------------------------------------------------------------

// Called between runs only: the task waits, or has never run.
static void end_unfinished(struct task *task, bool ok, const char *error) {
  struct vm *vm = task->vm;
  if (task->detach != NULL) task->detach(task);
  reset_coroutine(task);
  const struct task_owner *ops = task->owner_ops;
  void *owner = task->owner;
  retire(task, ok);
  if (owner != NULL && ops->ended != NULL) ops->ended(vm, task, owner, ok, error);
}

void task_kill(struct task *task) { end_unfinished(task, true, ""); }

void task_fail(struct task *task, const char *error) { end_unfinished(task, false, error); }

// ---- waking --------------------------------------------------------------

struct wake {
  lua_State *co;
  int (*push)(lua_State *L, void *arg);
  void *arg;
  int count;
};

// Where it is protected: on the VM's own stack, so that nothing is left half done.
static int push_results(lua_State *L) {
  struct wake *wake = lua_touserdata(L, 1);
  wake->count = wake->push(L, wake->arg);
  if (!lua_checkstack(wake->co, wake->count)) luaL_error(L, "too many results");
  lua_xmove(L, wake->co, wake->count);
  return 0;
}

void task_wake(struct task *task, int (*push)(lua_State *L, void *arg), void *arg) {
  struct wake wake = {task->co, push, arg, 0};
  if (push != NULL && !vm_enter(task->vm, push_results, &wake, "waking a task"))
    task_fail(task, "not enough memory");
  else
    task_resume(task, wake.count);
}

int task_push_true(lua_State *L, void *arg) {
  (void)arg;
  lua_pushboolean(L, 1);
  return 1;
}

int task_push_failure(lua_State *L, void *code) { return vm_fail(L, code, code); }

// ---- lists of waiting tasks ----------------------------------------------

static void detach_waiter(struct task *task) { list_remove(&task->wait_link); }

void task_wake_timeout(struct task *task) {
  task->detach(task);
  task_wake(task, task_push_failure, "timeout");
}

int task_wait_in(lua_State *L, struct list *waiters, double seconds, lua_KFunction then) {
  struct task *task = task_current(L);
  list_append(waiters, &task->wait_link);
  task_set_wait(task, NULL, detach_waiter);
  if (seconds >= 0) task_set_timeout(task, seconds, task_wake_timeout);
  return task_wait(L, then);
}

void task_wake_all(struct list *waiters, int (*push)(lua_State *L, void *arg), void *arg) {
  if (list_is_empty(waiters)) return;
  struct list woken, *node;
  list_init(&woken);
  list_splice(&woken, waiters);
  while ((node = list_pop(&woken)) != NULL)
    task_wake(list_entry(node, struct task, wait_link), push, arg);
}

// ---- the life of the VM --------------------------------------------------

lua_State *task_running(const struct vm *vm) {
  return vm->running != NULL ? vm->running->co : NULL;
}

static void open_module(lua_State *L) { list_init(&tasks_of(vm_of(L))->all); }

// Those that the generation before began.
static void kill_background(struct vm *vm, struct generation *before, struct generation *next) {
  (void)next;
  if (before == NULL) return;
  struct list *all = &tasks_of(vm)->all;
  struct list kept;
  list_init(&kept);
  struct list *node;
  while ((node = list_pop(all)) != NULL) {
    struct task *task = list_entry(node, struct task, link);
    list_append(task->is_background ? all : &kept, &task->link);
    if (task->is_background) task_kill(task);
  }
  list_splice(all, &kept);
}

static void stop(struct vm *vm) {
  struct tasks *tasks = tasks_of(vm);
  struct list *node;
  while ((node = list_pop(&tasks->all)) != NULL) task_kill(list_entry(node, struct task, link));
  while (tasks->idle != NULL) {
    struct task *task = tasks->idle;
    tasks->idle = task->next_idle;
    free(task);
  }
}

struct script_module task_module = {.name = "task",
                                    .open = open_module,
                                    .switch_to = kill_background,
                                    .stop = stop,
                                    .vm_state_bytes = sizeof(struct tasks)};
