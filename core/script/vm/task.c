// Tasks: see task.h.
#include "script/vm/task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/worker.h"
#include "script/vm/failure.h"
#include "script/vm/watchdog.h"

enum { POOL_MAX = 256, ERROR_BYTES = 1024, LONGEST_WAIT_S = 1000000000 };

static void on_timer(struct wheel_timer *timer) {
  struct task *task = list_entry(timer, struct task, timer);
  task->on_timeout(task);
}

static int make_task(lua_State *L) {
  struct task **made = lua_touserdata(L, 1);
  lua_State *co = lua_newthread(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, tasks_of(vm_of(L))->owned_ref);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
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

bool task_owns(lua_State *L, int index) {
  index = lua_absindex(L, index);
  lua_rawgeti(L, LUA_REGISTRYINDEX, tasks_of(vm_of(L))->owned_ref);
  lua_pushvalue(L, index);
  bool owns = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return owns || lua_tothread(L, index) == vm_of(L)->L;
}

static void task_free(struct task *task) {
  vm_unref(task->vm, task->co_ref);
  free(task);
}

// Back to the pool, or no more.
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

// Around whatever runs in the coroutine: it is the innermost task, and watched.
struct run {
  struct task *outer;
  unsigned long serial;
};

static struct run enter(struct task *task) {
  struct run run = {.outer = task->vm->running};
  task->vm->running = task;
  run.serial = watchdog_enter(task->vm, task->co);
  return run;
}

static void leave(struct task *task, struct run run) {
  watchdog_leave(task->vm, run.serial, task->co);
  task->vm->running = run.outer;
}

// What runs after the end of a task, and is struck, too.
static void log_strike(const struct task *task) {
  if (task->vm->strike.is_pending) log_error("%s", task->vm->strike.text);
  task->vm->strike.is_pending = false;
}

// Closes what the coroutine has to close (__close runs Lua, so it is watched). What cannot be
// closed is left to the collector, which calls no __close.
static void reset_coroutine(struct task *task) {
  if (!watchdog_can_close(task->co)) return;
  struct run run = enter(task);
  lua_resetthread(task->co);
  leave(task, run);
  lua_settop(task->co, 0);
  log_strike(task);
}

static int tostring(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

// Runs the __tostring of an error value in the coroutine that raised it and has been reset.
static void ask_for_text(struct task *task, struct failure *failure) {
  lua_pushcfunction(task->co, tostring);
  failure_push_object(task->co, failure);
  struct run run = enter(task);
  int results = 0;
  int status = lua_resume(task->co, run.outer != NULL ? run.outer->co : task->vm->L, 1, &results);
  leave(task, run);
  if (status == LUA_OK) failure_set_text(failure, task->co);
  log_strike(task);
}

static void log_failure(const struct task *task, const struct failure *failure, const char *who) {
  if (task->owner_ops->is_quiet) return;
  struct slice text = buf_slice(&failure->text), traceback = buf_slice(&failure->traceback);
  log_error("%.*s%s%.*s%s%s", (int)text.len, text.ptr, traceback.len > 0 ? "\n" : "",
            (int)traceback.len, traceback.ptr, who[0] != '\0' ? "\n" : "", who);
}

static void read_yield(struct task *task, struct failure *failure) {
  char text[300], place[PLACE_BYTES];
  bool is_known = place_find(task->co, place);
  snprintf(text, sizeof text,
           "%s%scoroutine.yield was called outside a coroutine of the script's own", place,
           is_known ? ": " : "");
  failure_read_yielded(failure, task->vm, task->co, text);
}

static void read_failure(struct task *task, int status, struct failure *failure) {
  struct vm *vm = task->vm;
  if (vm->strike.is_pending)
    failure_read_yielded(failure, vm, task->co, vm->strike.text);
  else if (status == LUA_YIELD)
    read_yield(task, failure);
  else
    failure_read(failure, vm, task->co);
  vm->strike.is_pending = false;
}

// The coroutine is not used again: it may run no hooks any more.
static void end_failed(struct task *task, int status) {
  struct vm *vm = task->vm;
  char who[300] = "", error[ERROR_BYTES];
  if (task->owner != NULL && task->owner_ops->describe != NULL)
    task->owner_ops->describe(task->owner, who, sizeof who);
  struct failure failure;
  read_failure(task, status, &failure);
  reset_coroutine(task);
  if (failure.has_object) ask_for_text(task, &failure);
  log_failure(task, &failure, who);
  snprintf(error, sizeof error, "%.*s", (int)buf_len(&failure.text), buf_slice(&failure.text).ptr);
  failure_end(&failure, vm);
  const struct task_owner *ops = task->owner_ops;
  void *owner = task->owner;
  retire(task, false);
  if (owner != NULL && ops->ended != NULL) ops->ended(vm, task, owner, false, error);
}

static void end_well(struct task *task) {
  struct vm *vm = task->vm;
  lua_settop(task->co, 0);
  const struct task_owner *ops = task->owner_ops;
  void *owner = task->owner;
  retire(task, true);
  if (owner != NULL && ops->ended != NULL) ops->ended(vm, task, owner, true, "");
}

// Of this turn: should it be slow, the log names it.
static void name_longest(const struct task *task) {
  struct turn_clock *clock = &task->vm->worker->clock;
  if (task->owner != NULL && task->owner_ops->describe != NULL)
    task->owner_ops->describe(task->owner, clock->name, sizeof clock->name);
  else
    snprintf(clock->name, sizeof clock->name,
             task->vm->loading != NULL ? "(loading a script)" : "(its connection is gone)");
}

void task_resume(struct task *task, int args) {
  if (wheel_timer_is_set(&task->timer)) wheel_cancel(&task->timer);
  task->waits_for = NULL;
  task->detach = NULL;
  task->is_waiting = false;
  task->vm->strike.is_pending = false;
  struct run run = enter(task);
  int results = 0;
  // From the task that wakes this one, so that Lua's own bound of nested calls holds
  // for chains of tasks that wake each other; the C stack has no other.
  int status =
      lua_resume(task->co, run.outer != NULL ? run.outer->co : task->vm->L, args, &results);
  leave(task, run);
  if (run.outer == NULL && turn_clock_end_task(&task->vm->worker->clock)) name_longest(task);
  if (status == LUA_OK)
    end_well(task);
  else if (status != LUA_YIELD || !task->is_waiting)
    end_failed(task, status);
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
  if (vm->loading != NULL)
    luaL_error(L, "cannot wait while scripts load; use gate.spawn or gate.after");
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

static enum work work_of(const struct task *task) {
  if (task->is_background) return WORK_BACKGROUND;
  bool is_owned = task->owner != NULL && task->owner_ops->work != NULL;
  return is_owned ? task->owner_ops->work(task->owner) : WORK_STARTED;
}

void task_set_timeout(struct task *task, double seconds, void (*on_timeout)(struct task *task)) {
  if (!(seconds > 0)) seconds = 0;
  if (seconds > LONGEST_WAIT_S) seconds = LONGEST_WAIT_S;
  task->on_timeout = on_timeout;
  struct worker *worker = task->vm->worker;
  wheel_timer_set_kind(&task->timer, work_of(task));
  wheel_set(&worker->wheel, &task->timer, worker->now_ms + (uint64_t)(seconds * 1000 + 0.5));
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

void task_describe_running(const struct vm *vm, char *out, size_t size) {
  const struct task *task = vm->running;
  if (vm->loading_path != NULL)
    snprintf(out, size, "it loads %s", vm->loading_path);
  else if (task != NULL && task->owner != NULL && task->owner_ops->describe != NULL)
    task->owner_ops->describe(task->owner, out, size);
  else
    snprintf(out, size, "%s", task != NULL ? "it runs a task" : "it runs no handler");
}

lua_State *task_running(const struct vm *vm) {
  return vm->running != NULL ? vm->running->co : NULL;
}

// Lua makes these when it refuses to resume or to close a coroutine, outside any protected call,
// where a lack of memory would end the process. Strings that are there already need none.
static void keep_messages(lua_State *L) {
  static const char *const messages[] = {"cannot resume non-suspended coroutine",
                                         "cannot resume dead coroutine", "C stack overflow",
                                         "error in error handling"};
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
    lua_pushstring(L, messages[i]);
    vm_ref(L);
  }
}

static void open_module(lua_State *L) {
  struct tasks *tasks = tasks_of(vm_of(L));
  list_init(&tasks->all);
  vm_push_weak_table(L);
  tasks->owned_ref = vm_ref(L);
  keep_messages(L);
}

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
