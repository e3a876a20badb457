// Server-side subscribers: gate.subscribe(pattern, fn) runs fn in a task for
// every message of the topics that match, on the first worker only, one at a
// time and in order. A subscription is a reader of the hub on a port of its own,
// so what waits for its handler waits in the log.
//
// Scripts declare subscriptions while they load. When their generation goes live,
// a subscription whose pattern was there before takes up where it was.
#ifndef TIDEGATE_SCRIPT_SERVE_TAP_H
#define TIDEGATE_SCRIPT_SERVE_TAP_H

#include <stdbool.h>

#include "base/slice.h"

struct generation;
struct vm;

// What a generation declared.
struct subscriber {
  char *pattern;
  int fn_ref;
};

// Takes over fn_ref. False when there are HUB_TAPS already.
bool subscription_declare(struct generation *generation, struct slice pattern, int fn_ref);
void subscription_forget(struct generation *generation);  // frees what was declared

// The generation goes live: opens, hands over and closes subscriptions.
void subscription_switch(struct vm *vm, struct generation *generation);

void subscription_free_all(struct vm *vm);  // after all tasks have ended

#endif
