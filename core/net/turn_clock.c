// The time of a worker's turn: see turn_clock.h.
#include "net/turn_clock.h"

#include <stdio.h>

#include "base/log.h"

enum {
  NAMED_PART = 8,        // a task is named when it takes this part of a slow turn
  LINE_EVERY_MS = 1000,  // at most one line of a worker
};

void turn_clock_init(struct turn_clock *clock, uint64_t turn_time_ms, uint64_t slow_turn_ms) {
  uint64_t rate = clock_ticks_per_ms();
  *clock = (struct turn_clock){
      .whole_share = turn_time_ms * rate | 1,
      .slow = slow_turn_ms > 0 ? slow_turn_ms * rate : UINT64_MAX,
  };
  turn_clock_begin_turn(clock);
  clock->began = 0;
}

void turn_clock_begin_turn(struct turn_clock *clock) {
  turn_clock_read(clock);
  clock->began = clock->share_began = clock->part_began = clock->task_began = clock->now;
  clock->share = clock->whole_share;
  clock->longest = clock->slow / NAMED_PART;
  clock->name[0] = '\0';
}

static void write_line(struct turn_clock *clock, unsigned worker) {
  uint64_t rate = clock_ticks_per_ms();
  unsigned long long took = (clock->now - clock->began) / rate;
  unsigned long long longest = clock->longest / rate;
  char more[64] = "";
  if (clock->unlogged > 0)
    snprintf(more, sizeof more, "; %u more were not logged", clock->unlogged);
  if (clock->longest > clock->slow / NAMED_PART)
    log_warn("a turn of worker %u took %llu ms, %llu of them in one handler: %s%s", worker, took,
             longest, clock->name, more);
  else
    log_warn("a turn of worker %u took %llu ms, with no handler over %llu%s", worker, took, longest,
             more);
}

void turn_clock_log_slow(struct turn_clock *clock, unsigned worker, uint64_t now_ms) {
  if (now_ms < clock->next_line_ms) {
    clock->unlogged++;
    return;
  }
  write_line(clock, worker);
  clock->next_line_ms = now_ms + LINE_EVERY_MS;
  clock->unlogged = 0;
}
