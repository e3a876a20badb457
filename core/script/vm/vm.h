// The VM of a worker: one Lua state with a memory cap, the generation of
// scripts that is live in it, and the pool of tasks. Everything here happens on
// the worker's thread.
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

struct bundle;
struct generation;
struct task;
struct worker;

// The objects that scripts hold, each with its metatable.
enum vm_type { VM_REQ, VM_RES, VM_WS, VM_STREAM, VM_TYPES };

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
  struct list tasks;   // all tasks that have started and not ended
  struct list timers;  // those that handlers started
  struct taps *taps;   // of gate.subscribe; the first worker's VM only
  unsigned long request_count;
  // Odd while Lua runs, changes with each entry: what the watchdog looks at,
  // and the entry it found to run for too long.
  atomic_ulong entry_serial, overdue_serial;
  // Metatables by type: to compare a pointer costs a tenth of luaL_checkudata.
  struct {
    const void *metatable;
    int ref;
  } types[VM_TYPES];
  int kind_refs[2];  // "text" and "binary", by enum message_kind
};

struct vm *vm_new(struct worker *worker, const char *dir, size_t memory_max_bytes);
// Ends every task and closes the state.
void vm_free(struct vm *vm);

// The VM of any of its coroutines.
static inline struct vm *vm_of(lua_State *L) { return *(struct vm **)lua_getextraspace(L); }

// Calls fn(L) protected, with arg as a light userdata at index 1. False when it
// raised (or memory ran out): the message is logged with `what`.
bool vm_enter(struct vm *vm, lua_CFunction fn, void *arg, const char *what);

// Anchors the value on top of L's stack in the registry / releases it.
int vm_ref(lua_State *L);
void vm_unref(struct vm *vm, int ref);  // cannot fail; LUA_NOREF is ignored

// Pushes the new metatable of a type, anchored.
void vm_new_type(lua_State *L, enum vm_type type);
// Gives the userdata on top of the stack its type.
void vm_set_type(lua_State *L, enum vm_type type);
// The userdata at `arg` if it is of that type, else NULL.
void *vm_test_type(lua_State *L, int arg, enum vm_type type);
void *vm_check_type(lua_State *L, int arg, enum vm_type type);  // raises instead

// Pushes nil, message, code: how bindings tell failures. Returns 3.
int vm_fail(lua_State *L, const char *message, const char *code);

// Pushes a string on a coroutine that does not run, outside any protected call:
// the quick way to hand it one. False (and a line in the log) when memory is too short.
bool vm_push_text(struct vm *vm, lua_State *co, struct slice text);

void vm_push_slice(lua_State *L, struct slice text);

// The string at index `arg` as a slice (it must be one: luaL_checklstring).
struct slice vm_check_slice(lua_State *L, int arg);
// The string field `name` of the table at `index`; .ptr NULL when it is nil.
// Another type raises, naming `what`. The value stays on the stack, which keeps
// the slice alive.
struct slice vm_opt_field_slice(lua_State *L, int index, const char *name, const char *what);

#endif
