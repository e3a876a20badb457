// A worker's loop. A turn: wait until something is ready; callbacks read and
// run handlers; timers; then the end of the turn has the hub deliver, tells gaps,
// writes every connection that has output (one write each), and closes what is
// to be closed.
#ifndef TIDEGATE_NET_TURN_H
#define TIDEGATE_NET_TURN_H

#include <stdbool.h>

struct worker;

// Ends the turn before, waits at most so long (-1: as long as it takes), and
// begins the next. False when the worker is stopping and has no connection left.
bool turn_once(struct worker *worker, int longest_wait_ms);

// Runs turns until the worker is stopping and has no connection left.
void turn_loop(struct worker *worker);

#endif
