// The loop of a worker: see turn.h.
#include "net/turn.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub/hub.h"
#include "net/overflow.h"
#include "net/session.h"
#include "net/worker.h"

enum {
  ROUNDS = 16,         // of closing, delivering and flushing before the loop may wait again
  END_SHARES = 2,      // turn_times after which no further round begins
  READING_SHARES = 4,  // turn_times in which what is ready is dispatched before answers go out
};

// ---- connections with something to do --------------------------------------

// Takes the array's content; what is pushed meanwhile starts a new one.
static struct conn_array take(struct conn_array *array) {
  struct conn_array taken = *array;
  *array = (struct conn_array){0};
  return taken;
}

// Gives the memory back for reuse unless a new array has grown meanwhile.
static void give_back(struct conn_array *array, struct conn_array taken) {
  if (array->items == NULL)
    *array = (struct conn_array){taken.items, 0, taken.cap};
  else
    free(taken.items);
}

// ---- the end of a turn -----------------------------------------------------

static void flush_dirty(struct worker *worker) {
  struct conn_array dirty = take(&worker->dirty);
  for (size_t i = 0; i < dirty.count; i++) conn_end_turn(dirty.items[i]);
  give_back(&worker->dirty, dirty);
}

static void drop_first(struct conn_array *array, size_t count) {
  array->count -= count;
  if (count > 0) memmove(array->items, array->items + count, array->count * sizeof *array->items);
}

// One after the other while this part of the turn lasts: the rest comes first in the next
// turn. So does what is put off meanwhile, which goes to the end of the array.
static void take_up_later(struct worker *worker) {
  struct conn_array *later = &worker->later;
  size_t count = later->count, taken = 0;
  if (count == 0) return;
  turn_clock_begin_part(&worker->clock);
  while (taken < count && (taken == 0 || !turn_clock_is_part_over(&worker->clock)))
    conn_take_up(later->items[taken++]);
  drop_first(later, taken);
}

// False: the scripts that hear of it took too long, and the rest is left for the next turn.
static bool destroy_closing(struct worker *worker) {
  struct conn_array *closing = &worker->closing;
  size_t taken = 0;
  if (closing->count == 0) return true;
  turn_clock_begin_part(&worker->clock);
  while (taken < closing->count && (taken == 0 || !turn_clock_is_part_over(&worker->clock))) {
    struct conn *conn = closing->items[taken++];
    conn_destroy(conn);
    conn_array_push(&worker->gone, conn);
  }
  drop_first(closing, taken);
  return closing->count == 0;
}

static void forget_gone(struct conn_array *array) {
  size_t kept = 0;
  for (size_t i = 0; i < array->count; i++) {
    if (!conn_is_closing(array->items[i])) array->items[kept++] = array->items[i];
  }
  array->count = kept;
}

// Not while an event of one may wait to be dispatched. What else may name a connection that
// closed after it got there forgets it first: there may be work in each turn, for ever.
static void free_gone(struct worker *worker) {
  if (worker->gone.count == 0 || !poll_is_through(&worker->poll)) return;
  forget_gone(&worker->later);
  forget_gone(&worker->dirty);
  session_forget_gaps(worker);
  for (size_t i = 0; i < worker->gone.count; i++) session_free(session_of(worker->gone.items[i]));
  worker->gone.count = 0;
}

static bool has_work(const struct worker *worker) {
  return worker->dirty.count > 0 || worker->closing.count > 0 || worker->gap_count > 0 ||
         hub_port_has_work(worker->port);
}

// What handlers of closed sessions, gaps and drained sessions do may make new work, hence the
// rounds. They run in parts of the turn: what is left comes in the next.
static void end_turn(struct worker *worker) {
  struct turn_clock *clock = &worker->clock;
  take_up_later(worker);
  turn_clock_begin_part(clock);
  uint64_t began = clock->now;
  for (int round = 0; round < ROUNDS; round++) {
    hub_deliver(worker->port);
    if (worker->gap_count > 0) session_tell_gaps(worker);
    flush_dirty(worker);
    overflow_check(worker);
    if (!destroy_closing(worker) || !has_work(worker)) break;
    turn_clock_read(clock);
    if (clock->now - began >= END_SHARES * clock->whole_share) break;
  }
  free_gone(worker);
}

// ---- time ------------------------------------------------------------------

static int shorter(int a, int b) {
  if (a < 0) return b;
  return b < 0 || a < b ? a : b;
}

static int wheel_wait_ms(const struct worker *worker) {
  uint64_t due = wheel_next_ms(&worker->wheel);
  if (due == UINT64_MAX) return -1;
  if (due <= worker->now_ms) return 0;
  return due - worker->now_ms < INT_MAX ? (int)(due - worker->now_ms) : INT_MAX;
}

// libuv's loop is for what the app runs on it, which is nothing most of the
// time. Its descriptor stands in ours; its timers and what was just started
// have to be asked about.
static int uv_wait_ms(struct worker *worker) {
  if (!uv_loop_alive(&worker->loop)) return -1;
  uv_update_time(&worker->loop);
  return uv_backend_timeout(&worker->loop);
}

static int idle_wait_ms(struct worker *worker) {
  return shorter(wheel_wait_ms(worker), uv_wait_ms(worker));
}

// What is ready, one event after the other. When that takes long, answers go out, and
// others have their turns, before the rest.
static void dispatch_ready(struct worker *worker) {
  const struct turn_clock *clock = &worker->clock;
  while (poll_dispatch(&worker->poll)) {
    if (clock->now - clock->began >= READING_SHARES * clock->whole_share) return;
  }
}

// Timers of one kind, the longest due first; what this part of the turn has no time for stays due.
static void fire_kind(struct worker *worker, enum work kind) {
  turn_clock_begin_part(&worker->clock);
  for (struct wheel_timer *timer; (timer = wheel_take_due(&worker->wheel, kind)) != NULL;) {
    turn_clock_begin_share(&worker->clock);
    timer->fire(timer);
    if (turn_clock_is_part_over(&worker->clock)) break;
  }
  if (!list_is_empty(&worker->wheel.due[kind])) metric_add(&worker->stats->put_off, 1);
}

static void fire_due(struct worker *worker) {
  wheel_advance(&worker->wheel, worker->now_ms);
  if (worker->wheel.kinds_due == 0) return;
  for (enum work kind = 0; kind < WORK_KINDS; kind++)
    if (worker->wheel.kinds_due & (1u << kind)) fire_kind(worker, kind);
}

bool turn_once(struct worker *worker, int longest_wait_ms) {
  end_turn(worker);
  if (turn_clock_end_turn(&worker->clock, worker->index, worker->now_ms))
    metric_add(&worker->stats->slow_turns, 1);
  if (worker->is_stopping && worker->conns.count == 0) {
    worker->poll.at = worker->poll.count;  // nobody is left whom an event could be about
    free_gone(worker);
    return false;
  }
  bool is_idle = !has_work(worker) && worker->later.count == 0;
  poll_wait(&worker->poll, shorter(is_idle ? idle_wait_ms(worker) : 0, longest_wait_ms));
  worker->now_ms = clock_mono_ms();
  turn_clock_begin_turn(&worker->clock);
  dispatch_ready(worker);
  if (uv_wait_ms(worker) == 0) uv_run(&worker->loop, UV_RUN_NOWAIT);
  fire_due(worker);
  return true;
}

void turn_loop(struct worker *worker) {
  while (turn_once(worker, -1)) continue;
}
