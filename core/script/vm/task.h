// Tasks: pooled coroutines in which every handler runs. task_resume is the only
// place in the program that resumes Lua; it is always protected. A binding that
// waits arranges for somebody to call task_resume later and returns
// task_wait.
#ifndef TIDEGATE_SCRIPT_VM_TASK_H
#define TIDEGATE_SCRIPT_VM_TASK_H

#include <lua.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/wheel.h"
#include "script/vm/vm.h"

struct task;

// What owns a task hears of its end, when the task itself (a pointer only, to
// compare) is gone. ok false: it raised; the error has been
// logged with the owner's description. May start other tasks.
struct task_owner {
  void (*ended)(struct vm *vm, struct task *task, void *owner, bool ok, const char *error);
  // Describes the owner for the log: "route=GET /x conn=12".
  void (*describe)(void *owner, char *out, size_t size);
  bool is_quiet;  // errors are not logged: `ended` reports them
};

struct task {
  struct vm *vm;
  lua_State *co;
  int co_ref;
  struct list link;  // in vm->tasks
  struct task *next_idle;
  const struct task_owner *owner_ops;
  void *owner;                            // NULL once the owner is gone
  struct wheel_timer timer;               // sleep, or the timeout of another wait
  void (*on_timeout)(struct task *task);  // what the timer does
  void (*detach)(struct task *task);  // unhooks it from what it waits for, when killed; may be NULL
  void *waits_for;                    // for on_timeout and detach
  struct list wait_link;              // among those that wait for the same
  int (*push)(lua_State *L, void *arg);  // see task_start
  void *push_arg;
  bool is_waiting;     // in task_wait
  bool is_background;  // begun by what loading started: ends with its generation
};

// Takes a task from the pool for `owner`; task_start begins it. NULL (and a line
// in the log) when memory is too short even for that.
struct task *task_new(struct vm *vm, const struct task_owner *ops, void *owner);

// Begins the task. push(L, arg) is called first thing inside it, so protected
// like the rest: it pushes a function and its arguments and returns how many
// arguments; what it raises is the task's failure. Then as task_resume, which
// also begins a task whose function and arguments are on task->co already.
void task_start(struct task *task, int (*push)(lua_State *L, void *arg), void *arg);

// Runs the task until it waits or ends, with `args` values on top of its
// stack. When it ends, owner_ops->ended is called and the task goes back to
// the pool: the pointer must not be used afterwards.
void task_resume(struct task *task, int args);

// In a binding: `return task_wait(L, NULL)`: what task_resume is given becomes
// the binding's results, or `then` goes on with them on the stack. Raises when L cannot wait: while
// scripts load, or inside a coroutine of the script's own.
int task_wait(lua_State *L, lua_KFunction then);
// The task that L runs in, for a binding about to wait; raises as task_wait does.
struct task *task_current(lua_State *L);

// Before task_wait: what it waits for.
void task_set_wait(struct task *task, void *waits_for, void (*detach)(struct task *task));
// Arms task->timer: on_timeout is called unless the task is resumed before.
void task_set_timeout(struct task *task, double seconds, void (*on_timeout)(struct task *task));

// Ends a waiting task without running it further.
void task_fail(struct task *task, const char *error);  // the same, as a failure
// Wakes a waiting task through fn(L), which pushes results and calls
// task_resume; the task fails when memory is too short for that.
void task_wake(struct task *task, lua_CFunction fn, void *arg);
void task_kill(struct task *task);  // between events only
void task_kill_all(struct vm *vm);
void task_kill_background(struct vm *vm);
void task_pool_free(struct vm *vm);

#endif
