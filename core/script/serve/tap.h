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
#include "script/vm/module.h"

struct generation;

extern struct script_module tap_module;

// gate.subscribe while scripts load. Takes over fn_ref. False when there are HUB_TAPS
// already.
bool tap_declare(struct generation *generation, struct slice pattern, int fn_ref);

#endif
