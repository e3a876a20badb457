// Tasks: pooled coroutines in which every handler runs. No other part of the program
// resumes Lua; running a task is always protected. A binding that waits returns
// task_wait_in (in a list of waiting tasks), or arranges by itself for somebody to call
// task_wake later and returns task_wait.
#ifndef TIDEGATE_SCRIPT_VM_TASK_H
#define TIDEGATE_SCRIPT_VM_TASK_H

#include <lua.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/wheel.h"
#include "net/work.h"
#include "script/vm/vm.h"

struct task;

// Ends the background tasks of a generation with it, and all with the VM.
extern struct script_module task_module;

// What owns a task hears of its end, when the task itself (a pointer only, to
// compare) is gone. ok false: it raised; the error has been
// logged with the owner's description. May start other tasks.
struct task_owner {
  void (*ended)(struct vm *vm, struct task *task, void *owner, bool ok, const char *error);
  // Describes the owner for the log: "route=GET /x conn=12".
  void (*describe)(void *owner, char *out, size_t size);
  // What it is to go on with the task after a wait; NULL: WORK_STARTED.
  enum work (*work)(const void *owner);
  bool is_quiet;     // errors are not logged: `ended` reports them
  bool is_userdata;  // the owner is an object of Lua
};

struct task {
  struct vm *vm;
  lua_State *co;
  int co_ref;
  struct list link;  // in tasks.all
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

// The state in each VM.
struct tasks {
  struct list all;    // that have started and not ended
  struct task *idle;  // the pool
  size_t idle_count;
  int owned_ref;  // table with weak keys: the coroutines of tasks
};

static inline struct tasks *tasks_of(const struct vm *vm) { return vm_state(vm, &task_module); }

// Takes a task from the pool for `owner`; task_start begins it. NULL (and a line
// in the log) when memory is too short even for that.
struct task *task_new(struct vm *vm, const struct task_owner *ops, void *owner);

// Begins the task, which runs until it waits or ends. push(L, arg) is called first thing
// inside it, so protected like the rest: it pushes a function and its arguments and
// returns how many arguments; what it raises is the task's failure. When the task ends,
// owner_ops->ended is called and it goes back to the pool: the pointer must not be used
// afterwards.
void task_start(struct task *task, int (*push)(lua_State *L, void *arg), void *arg);

// ---- waiting -------------------------------------------------------------

// In a binding, `return task_wait_in(L, &waiters, seconds, NULL)`: L's task joins the
// list by its wait_link until it is woken, or has waited for `seconds` (negative: as
// long as it takes) and gets nil, "timeout", "timeout". What it is woken with becomes
// the binding's results, or `then` goes on with them on the stack. Raises when L
// cannot wait: while scripts load, or inside a coroutine of the script's own.
int task_wait_in(lua_State *L, struct list *waiters, double seconds, lua_KFunction then);
// Wakes those that are in the list now.
void task_wake_all(struct list *waiters, int (*push)(lua_State *L, void *arg), void *arg);

// Wakes a waiting task, which its owner has unhooked from what it waits for: push(L,
// arg), protected, pushes its results and returns how many (NULL: none). The task
// fails when memory is too short for that.
void task_wake(struct task *task, int (*push)(lua_State *L, void *arg), void *arg);
int task_push_true(lua_State *L, void *arg);
int task_push_failure(lua_State *L, void *code);  // nil, code, code: "closed"

// For a wait that is no list: task_current, then where the task is found by who wakes
// it, task_set_wait, perhaps task_set_timeout, and `return task_wait(L, then)`.

// The task that L runs in; raises where it cannot wait.
struct task *task_current(lua_State *L);
// What it waits for, and what unhooks it from that when it is killed or times out.
void task_set_wait(struct task *task, void *waits_for, void (*detach)(struct task *task));
// on_timeout is called unless the task is woken before.
void task_set_timeout(struct task *task, double seconds, void (*on_timeout)(struct task *task));
// An on_timeout: unhooks the task and wakes it with nil, "timeout", "timeout".
void task_wake_timeout(struct task *task);
int task_wait(lua_State *L, lua_KFunction then);

// What the VM does now, for the log: "route=GET /x conn=3", or which file it loads. Safe in a
// signal handler of its thread.
void task_describe_running(const struct vm *vm, char *out, size_t size);

// The coroutine of the innermost task, NULL outside Lua. Safe in a signal handler.
lua_State *task_running(const struct vm *vm);

// Whether the coroutine at `index` is one of the server's: a task's, also one that has ended, or
// the VM's own. A script must neither resume nor close it.
bool task_owns(lua_State *L, int index);

// ---- ending --------------------------------------------------------------

// Ends a waiting task without running it further; between events only.
void task_kill(struct task *task);
void task_fail(struct task *task, const char *error);  // the same, as a failure

// ---- the quick way -------------------------------------------------------

// Runs the task until it waits or ends, with `args` values on top of its stack: for the
// function below, which is inline because otherwise a message would cost 40 instructions
// more.
void task_resume(struct task *task, int args);

// For the events of sessions, which are many: task_start (of a new task) and task_wake (of
// a waiting one) without the protected call around push, which would cost a message 150
// instructions, 4 % of an echo. push(task, arg) pushes on task->co and returns what it would
// there, or -1 when memory is too short: then the task fails. It may use only what cannot
// raise: vm_push_text, lua_rawgeti of references, numbers, booleans; few values.
static inline void task_resume_quickly(struct task *task, int (*push)(struct task *task, void *arg),
                                       void *arg) {
  int count = push(task, arg);
  if (count < 0)
    task_fail(task, "not enough memory");
  else
    task_resume(task, count);
}

#endif
