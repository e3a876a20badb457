// Timers of scripts: gate.every, gate.after and gate.spawn. What is called while
// scripts load belongs to the generation: it starts when the generation goes
// live, on the first worker only (unless asked for on all), and ends with it.
// What a handler starts runs on.
#ifndef TIDEGATE_SCRIPT_SERVE_TIMER_H
#define TIDEGATE_SCRIPT_SERVE_TIMER_H

#include <lua.h>
#include <stdbool.h>

#include "script/vm/vm.h"

enum { TIMER_MAX_ARGS = 32 };

extern struct script_module timer_module;

// Makes a timer that calls the function at `fn_index` with the `args` values on
// top of the stack (popped), after `delay_s` and then every `interval_s` (0:
// once). on_all: on every worker, when called while loading. Pushes the timer
// object (which has :cancel()).
void timer_push(lua_State *L, int fn_index, int args, double delay_s, double interval_s,
                bool on_all);

#endif
