// The time of a worker's turn: whether a connection, a timer or a subscriber in the server
// has used its share of it, and which handler took longest. The clock is that of the
// processor (clock_ticks), which is read when a task has ended.
//
// A share is turn_time. In a turn that has lasted that long already it is an eighth, so that
// many connections that ask for much do not make a turn of many shares. Whoever runs
// begins at least one thing in each share, however long that takes.
#ifndef TIDEGATE_NET_TURN_CLOCK_H
#define TIDEGATE_NET_TURN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { TURN_CLOCK_NAME_BYTES = 160 };

// Times are in ticks.
struct turn_clock {
  uint64_t now;                      // as it was last read
  uint64_t began;                    // this turn; 0: none has begun
  uint64_t share_began;              // of what runs now
  uint64_t share;                    // what that may take
  uint64_t part_began;               // see turn_clock_begin_part
  uint64_t task_began;               // about: the end of the task before
  uint64_t longest;                  // task of this turn; at first what none is named for
  uint64_t whole_share;              // turn_time
  uint64_t slow;                     // slow_turn; UINT64_MAX: no turn is
  uint64_t next_line_ms;             // before then no further slow turn is logged
  unsigned unlogged;                 // slow turns since the last line
  char name[TURN_CLOCK_NAME_BYTES];  // of the longest task, empty: none was long
};

void turn_clock_init(struct turn_clock *clock, uint64_t turn_time_ms, uint64_t slow_turn_ms);

void turn_clock_begin_turn(struct turn_clock *clock);
// Logs a turn that was slow, but for what is more than a line a second: see turn_clock_end_turn.
void turn_clock_log_slow(struct turn_clock *clock, unsigned worker, uint64_t now_ms);

// ---- shares ----------------------------------------------------------------

static inline void turn_clock_read(struct turn_clock *clock) { clock->now = clock_ticks(); }

// True: the turn was slow, which the log says. `worker` is for that line, `now_ms` the time.
static inline bool turn_clock_end_turn(struct turn_clock *clock, unsigned worker, uint64_t now_ms) {
  turn_clock_read(clock);
  if (clock->now - clock->began <= clock->slow || clock->began == 0) return false;
  turn_clock_log_slow(clock, worker, now_ms);
  return true;
}

// The turn has lasted for a share already.
static inline bool turn_clock_is_late(const struct turn_clock *clock) {
  return clock->now - clock->began >= clock->whole_share;
}

// The share of one connection, timer or subscriber begins.
static inline void turn_clock_begin_share(struct turn_clock *clock) {
  clock->share_began = clock->now;
  clock->share = turn_clock_is_late(clock) ? (clock->whole_share >> 3) | 1 : clock->whole_share;
}

// As of the last reading: what is left waits for the next turn.
static inline bool turn_clock_is_share_over(const struct turn_clock *clock) {
  return clock->now - clock->share_began >= clock->share;
}

// A part of the turn, such as going on with what was put off, has a share for all of it.
static inline void turn_clock_begin_part(struct turn_clock *clock) {
  turn_clock_read(clock);
  clock->part_began = clock->now;
}
static inline bool turn_clock_is_part_over(const struct turn_clock *clock) {
  return clock->now - clock->part_began >= clock->whole_share;
}

// ---- the longest task --------------------------------------------------------

// A task has ended, or waits. True: it is the longest of this turn so far, and long enough
// to be worth a name.
static inline bool turn_clock_end_task(struct turn_clock *clock) {
  uint64_t now = clock_ticks();
  uint64_t took = now - clock->task_began;
  clock->now = clock->task_began = now;
  if (took <= clock->longest) return false;
  clock->longest = took;
  return true;
}

#endif
