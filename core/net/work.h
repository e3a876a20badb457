// The kinds of work that a worker's timers do when they are due, in the order of a turn. Each has
// a part of the turn, so that one that is behind, perhaps by seconds, keeps no other waiting.
#ifndef TIDEGATE_NET_WORK_H
#define TIDEGATE_NET_WORK_H

#include "base/wheel.h"

enum work {
  WORK_SERVER,      // the server's own: time limits, heartbeats, the end of grace
  WORK_PUT_OFF,     // sessions go on that had used their share
  WORK_AWAITED,     // tasks that a client waits for go on: of a connection there is one
  WORK_BACKGROUND,  // timers that scripts made while they loaded, and what these began
  WORK_STARTED,     // timers and tasks that handlers made: a client can have any number made
  WORK_KINDS,
};
_Static_assert((int)WORK_KINDS <= (int)WHEEL_KINDS, "each kind of work is a kind of timer");

#endif
