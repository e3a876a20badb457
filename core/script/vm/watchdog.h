// The watchdog: ends a handler that computes for longer than handler_time
// without waiting. It costs an event two relaxed stores; a thread looks at them
// now and then, and signals a worker that has been in the same entry for too
// long by its own CPU clock. The signal handler sets a Lua hook (the one thing
// Lua allows there), which strikes the script:
// - Where the coroutine can yield, it yields and is never resumed. No pcall and no message
//   handler of the script sees that.
// - Elsewhere (a comparator of table.sort, a metamethod called by C, a message handler) it raises
//   a lack of memory, the only error that calls no message handler. A message handler called from
//   a hook would run without hooks, so for ever.
// The words for the log are in vm->strike.
#ifndef TIDEGATE_SCRIPT_VM_WATCHDOG_H
#define TIDEGATE_SCRIPT_VM_WATCHDOG_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "script/vm/vm.h"

enum {
  WATCHDOG_START_LIMITS = 4,  // as many handler_times until a start that cannot be cut short ends
};

// Around every run of Lua in a coroutine, on the worker's thread.
unsigned long watchdog_enter(struct vm *vm, lua_State *co);
void watchdog_leave(struct vm *vm, unsigned long serial, lua_State *co);

// Makes a coroutine of the script's own subject to the watchdog.
void watchdog_guard_coroutine(lua_State *co);

// After a run of a coroutine of the script's own in L: whether the watchdog struck in it, or would
// have. L is struck next, then.
bool watchdog_pass_on(lua_State *L);

// Whether what runs in `state`, a lua_State, has used up its time: a function of C that takes long
// ends early, and the script is struck when it goes on. On the worker's thread.
bool watchdog_is_over(void *state);

// Whether lua_resetthread may run the __close metamethods of a coroutine that has stopped. Not if
// the watchdog's error ended it: an error that leaves a hook leaves the hooks of its coroutine
// disabled, so a __close that loops would never end.
bool watchdog_can_close(lua_State *co);

// Starts and stops the thread. Each VM is watched from watchdog_add (on its
// worker's thread) to watchdog_remove. running: the coroutine that runs in it, NULL when
// none does; called in the signal handler.
bool watchdog_start(uint64_t handler_time_ms);  // false, with errno: no thread
void watchdog_add(struct vm *vm, lua_State *(*running)(const struct vm *vm));
void watchdog_remove(struct vm *vm);
void watchdog_stop(void);

// What the thread of a watched VM does now: describe(vm, out, size) is called in a signal handler
// there. "" when the thread does not answer at once. From another thread.
typedef void watchdog_describe(const struct vm *vm, char *out, size_t size);
void watchdog_ask(struct vm *vm, watchdog_describe *describe, char *out, size_t size);

#endif
