// The VM of a worker: one Lua state with a memory cap, the generation of
// scripts that is live in it, the pool of tasks, and the state of each module.
// Everything here happens on the worker's thread.
//
// Lua is entered in two ways only: vm_enter (a protected C function, for
// building values) and task_start/task_resume (task.c). So neither a
// script nor a lack of memory can unwind into C that does not expect it.
#ifndef TIDEGATE_SCRIPT_VM_VM_H
#define TIDEGATE_SCRIPT_VM_VM_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "script/vm/module.h"

struct generation;
struct task;
struct worker;

enum { VM_TYPES_MAX = 32 };

// Numbers of one VM, which its thread changes and any thread may read. Their meaning is
// told by the rows in vm.c.
struct vm_metrics {
  metric_value vm_bytes;
};

extern const struct metrics vm_metrics;

struct vm {
  lua_State *L;
  struct worker *worker;
  const char *dir;  // the script directory, as given
  struct vm_metrics metrics;
  size_t memory_max_bytes;
  struct generation *live;     // handles new events
  struct generation *loading;  // set while scripts load
  struct task *running;        // innermost task, NULL outside Lua
  struct task *idle_tasks;     // pool
  size_t idle_task_count;
  struct list tasks;  // all tasks that have started and not ended
  // Odd while Lua runs, changes with each entry: what the watchdog looks at,
  // and the entry it found to run for too long.
  atomic_ulong entry_serial, overdue_serial;
  struct script_module *const *modules;  // ends with NULL
  void **states;                         // by slot of the module
  // Metatables by slot of the box_type.
  struct {
    const void *metatable;
    int ref;
  } types[VM_TYPES_MAX];
};

// Opens the modules of the table, which ends with NULL. NULL when the memory is too
// small for that. Called before the workers' threads run.
struct vm *vm_new(struct worker *worker, const char *dir, size_t memory_max_bytes,
                  struct script_module *const *modules);
// Stops the modules and closes the state.
void vm_free(struct vm *vm);

// The memory that a module has in each VM.
static inline void *vm_state(const struct vm *vm, const struct script_module *module) {
  return vm->states[module->slot];
}

// The VM of any of its coroutines.
static inline struct vm *vm_of(lua_State *L) { return *(struct vm **)lua_getextraspace(L); }

// Calls fn(L) protected, with arg as a light userdata at index 1. False when it
// raised (or memory ran out): the message is logged with `what`.
bool vm_enter(struct vm *vm, lua_CFunction fn, void *arg, const char *what);

// Anchors the value on top of L's stack in the registry / releases it.
int vm_ref(lua_State *L);
void vm_unref(struct vm *vm, int ref);  // cannot fail; LUA_NOREF is ignored

// Pushes nil, message, code: how bindings tell failures. Returns 3.
int vm_fail(lua_State *L, const char *message, const char *code);

// Pushes a string on a coroutine that does not run, outside any protected call:
// the quick way to hand it one. False (and a line in the log) when memory is too short.
bool vm_push_text(struct vm *vm, lua_State *co, struct slice text);

void vm_push_slice(lua_State *L, struct slice text);

#endif
