// The VM of a worker: one Lua state with a memory cap, the generation of scripts that is
// live in it, and the state of each module. Everything here happens on the worker's
// thread.
//
// Lua is entered in two ways only: vm_enter (a protected C function, for building
// values) and tasks (task_start, task_wake: see task.h). So neither a script nor a lack of
// memory can unwind into C that does not expect it.
#ifndef TIDEGATE_SCRIPT_VM_VM_H
#define TIDEGATE_SCRIPT_VM_VM_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

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
  // vm_raise_unseen: how many allocations are still refused, and the cap after that.
  struct {
    unsigned count;
    size_t max_bytes;
  } refused;
  struct script_module *const *modules;  // ends with NULL
  void **states;                         // by slot of the module

  // What handles new events, and what loads now, or NULL. Generations are of the row above:
  // here they are only handed on to modules (module.h), and a task asks whether one loads,
  // since it cannot wait then.
  struct generation *live, *loading;
  bool is_stopped;
  const char *_Atomic loading_path;  // the file that the step of loading runs, or NULL
  // A step of loading runs, and nothing is live yet. The thread of the watchdog reads both.
  atomic_bool loads_first;

  // State of three modules that is not in vm_state: every entry into Lua and every method of
  // an object needs it, and would pay for finding it there first.
  struct task *running;  // task.h: the innermost, NULL outside Lua
  // watchdog.h: odd while Lua runs, changes with each entry; and the entry that was found
  // to run for too long.
  atomic_ulong entry_serial, overdue_serial;
  struct {
    bool is_pending;  // the task that runs has been struck
    char text[160];
  } strike;
  struct {
    const void *metatable;
    int ref;
  } types[VM_TYPES_MAX];  // box.h: by slot of the box_type
};

// Opens the modules of the table, which ends with NULL. NULL when the memory is too
// small for that. Called before the workers' threads run.
struct vm *vm_new(struct worker *worker, const char *dir, size_t memory_max_bytes,
                  struct script_module *const *modules);
// Stops the modules, the last that runs scripts.
void vm_stop(struct vm *vm);
// The same, and closes the state.
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

// Raises while scripts load: for what acts on a live session or response. A load that fails
// must have no effect.
void vm_raise_loading(lua_State *L);
static inline void vm_refuse_while_loading(lua_State *L) {
  if (vm_of(L)->loading != NULL) vm_raise_loading(L);
}

// Anchors the value on top of L's stack in the registry / releases it.
int vm_ref(lua_State *L);
void vm_unref(struct vm *vm, int ref);  // cannot fail; LUA_NOREF is ignored

// Hides the metatable on top of the stack from scripts: what one generation changed in it would
// stay for the next, and what C relies on would be open to them.
void vm_lock_metatable(lua_State *L);

// Pushes a new table whose keys are weak.
void vm_push_weak_table(lua_State *L);

// Raises a lack of memory: an error that calls no message handler.
int vm_raise_unseen(lua_State *L);

// Pushes nil, message, code: how bindings tell failures. Returns 3.
int vm_fail(lua_State *L, const char *message, const char *code);

// Pushes a string on a coroutine that does not run, outside any protected call:
// for task_resume_quickly. False (and a line in the log) when memory is too short.
bool vm_push_text(struct vm *vm, lua_State *co, struct slice text);

void vm_push_slice(lua_State *L, struct slice text);

// Makes room on the stack, or raises what a lack of memory raises: luaL_checkstack would call
// it a stack overflow, an error of the script.
static inline void vm_need_stack(lua_State *L, int slots) {
  while (!lua_checkstack(L, slots)) {
    lua_newuserdatauv(L, vm_of(L)->memory_max_bytes, 0);  // raises
    lua_pop(L, 1);
  }
}

#endif
