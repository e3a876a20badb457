// The loop of a worker: see turn.h.
#include "net/turn.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "hub/hub.h"
#include "net/session.h"
#include "net/worker.h"

enum {
  ROUNDS = 16,  // of closing, delivering and flushing before the loop may wait again
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

static void take_up_later(struct worker *worker) {
  struct conn_array later = take(&worker->later);
  for (size_t i = 0; i < later.count; i++) conn_take_up(later.items[i]);
  give_back(&worker->later, later);
}

static void destroy_closing(struct worker *worker) {
  struct conn_array closing = take(&worker->closing);
  for (size_t i = 0; i < closing.count; i++) {
    conn_destroy(closing.items[i]);
    conn_array_push(&worker->gone, closing.items[i]);
  }
  give_back(&worker->closing, closing);
}

static void forget_gone(struct conn_array *array) {
  size_t kept = 0;
  for (size_t i = 0; i < array->count; i++) {
    if (!conn_is_closing(array->items[i])) array->items[kept++] = array->items[i];
  }
  array->count = kept;
}

// Only when nothing is left to do: `dirty` and `gaps` may name a connection
// that closed after it got there.
static void free_gone(struct worker *worker) {
  forget_gone(&worker->later);
  for (size_t i = 0; i < worker->gone.count; i++) session_free(session_of(worker->gone.items[i]));
  worker->gone.count = 0;
}

static bool has_work(const struct worker *worker) {
  return worker->dirty.count > 0 || worker->closing.count > 0 || worker->gap_count > 0 ||
         hub_port_has_work(worker->port);
}

// What handlers of closed sessions and gaps do may make new work, hence the rounds.
static void end_turn(struct worker *worker) {
  take_up_later(worker);
  for (int round = 0; round < ROUNDS; round++) {
    hub_deliver(worker->port);
    if (worker->gap_count > 0) session_tell_gaps(worker);
    flush_dirty(worker);
    destroy_closing(worker);
    if (!has_work(worker)) {
      free_gone(worker);
      return;
    }
  }
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

bool turn_once(struct worker *worker, int longest_wait_ms) {
  end_turn(worker);
  if (worker->is_stopping && worker->conns.count == 0) return false;
  bool is_idle = !has_work(worker) && worker->later.count == 0;
  int wait_ms = !is_idle ? 0 : shorter(wheel_wait_ms(worker), uv_wait_ms(worker));
  poll_wait(&worker->poll, shorter(wait_ms, longest_wait_ms));
  worker->now_ms = clock_mono_ms();
  poll_dispatch(&worker->poll);
  if (uv_wait_ms(worker) == 0) uv_run(&worker->loop, UV_RUN_NOWAIT);
  wheel_advance(&worker->wheel, worker->now_ms);
  return true;
}

void turn_loop(struct worker *worker) {
  while (turn_once(worker, -1)) continue;
}
