// The watchdog: ends a handler that computes for longer than handler_time
// without waiting. It costs an event two relaxed stores; a thread looks at them
// now and then, and signals a worker that has been in the same entry for too
// long by its own CPU clock. The signal handler sets a Lua hook (the one thing
// Lua allows there), which raises an error in the script.
#ifndef TIDEGATE_SCRIPT_VM_WATCHDOG_H
#define TIDEGATE_SCRIPT_VM_WATCHDOG_H

#include <lua.h>
#include <stdint.h>

#include "script/vm/vm.h"

// Around every run of Lua in a coroutine, on the worker's thread.
unsigned long watchdog_enter(struct vm *vm, lua_State *co);
void watchdog_leave(struct vm *vm, unsigned long serial, lua_State *co);

// Makes a coroutine of the script's own subject to the watchdog.
void watchdog_guard_coroutine(lua_State *co);

// Starts and stops the thread. Each VM is watched from watchdog_add (on its
// worker's thread) to watchdog_remove. running: the coroutine that runs in it, NULL when
// none does; called in the signal handler.
void watchdog_start(uint64_t handler_time_ms);
void watchdog_add(struct vm *vm, lua_State *(*running)(const struct vm *vm));
void watchdog_remove(struct vm *vm);
void watchdog_stop(void);

#endif
