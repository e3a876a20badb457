// Taps: gate.subscribe(pattern, fn) runs fn in a task for
// every message of the topics that match, on the first worker only, one at a
// time and in order. A tap is a reader of the hub on a port of its own,
// so what waits for its handler waits in the log.
//
// Scripts declare taps while they load. When their generation goes live,
// a tap whose pattern was there before takes up where it was.
#ifndef TIDEGATE_SCRIPT_SERVE_TAP_H
#define TIDEGATE_SCRIPT_SERVE_TAP_H

#include <stdbool.h>

#include "base/slice.h"

struct generation;
struct vm;

// What a generation declared.
struct tap_declaration {
  char *pattern;
  int fn_ref;
};

// Takes over fn_ref. False when there are HUB_TAPS already.
bool tap_declare(struct generation *generation, struct slice pattern, int fn_ref);
void tap_forget(struct generation *generation);  // frees what was declared

// The generation goes live: opens, hands over and closes taps.
void tap_switch(struct vm *vm, struct generation *generation);

void tap_free_all(struct vm *vm);  // after all tasks have ended

#endif
