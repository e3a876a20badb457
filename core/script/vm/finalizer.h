// The finalizers (__gc) of scripts, put off. Lua would call them in the middle of whatever
// allocates: a binding that holds an object of C, which the finalizer may end; without hooks, so
// beyond the watchdog; and last when the state closes. Here they are called between two events,
// each in a task of its own, so they may do what handlers may.
//
// `setmetatable` of scripts hides __gc from Lua and gives the table a guard instead: an object of
// C with a finalizer, which nothing holds but the table. When Lua finalizes the guard, it
// queues its table; the function that is then __gc of the metatable is called with it.
#ifndef TIDEGATE_SCRIPT_VM_FINALIZER_H
#define TIDEGATE_SCRIPT_VM_FINALIZER_H

#include "script/vm/module.h"

extern struct script_module finalizer_module;

// Calls those that are due while this part of the turn lasts; the rest in the next.
void finalizer_run(struct vm *vm);

#endif
