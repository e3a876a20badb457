// Hierarchical timer wheel: one per worker, millisecond ticks, O(1) to set and
// cancel, no handle per timer. A timer is embedded in what it times. Timers that are due wait
// in one line for each kind, so that none has to wait behind those of another kind.
#ifndef TIDEGATE_BASE_WHEEL_H
#define TIDEGATE_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { WHEEL_LEVELS = 5, WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_KINDS = 5 };

struct wheel_timer {
  struct list link;          // points at itself when not set
  uint64_t kind : 4;         // what it counts as once it is due
  uint64_t expires_ms : 60;  // beside the kind, as there is one in each connection
  void (*fire)(struct wheel_timer *timer);
};

struct wheel {
  uint64_t now_ms;        // every timer due at or before this is in `due`, or was taken
  uint64_t next_slot_ms;  // when wheel_advance has a slot to run; UINT64_MAX: it has none
  uint64_t occupied[WHEEL_LEVELS];
  struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
  struct list due[WHEEL_KINDS];  // expired, and not taken yet
  unsigned kinds_due;            // a bit for each kind that has some; also when they were cancelled
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);

// Of kind 0.
void wheel_timer_init(struct wheel_timer *timer, void (*fire)(struct wheel_timer *timer));
// From when it is due next. kind: below WHEEL_KINDS.
static inline void wheel_timer_set_kind(struct wheel_timer *timer, unsigned kind) {
  timer->kind = kind & 15;
}

// Sets (or moves) the timer to be due once at `expires_ms` (of the clock given to
// wheel_advance). A time in the past is due at the next advance. Times over 12
// days ahead are kept and re-sorted as they come near.
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t expires_ms);
void wheel_cancel(struct wheel_timer *timer);  // harmless when not set
static inline bool wheel_timer_is_set(const struct wheel_timer *timer) {
  return !list_is_empty(&timer->link);
}

void wheel_run_slots(struct wheel *wheel, uint64_t now_ms);  // what wheel_advance has to do rarely
// Makes due what expires up to now_ms, in order of expiry to the millisecond, behind what
// is due already and of their kind.
static inline void wheel_advance(struct wheel *wheel, uint64_t now_ms) {
  if (wheel->next_slot_ms <= now_ms) wheel_run_slots(wheel, now_ms);
  if (now_ms > wheel->now_ms) wheel->now_ms = now_ms;
}

// Takes out the timer of the kind that is due longest, for the caller to call timer->fire(timer);
// NULL when none is. Timers that fire may set and cancel timers, themselves included.
struct wheel_timer *wheel_take_due(struct wheel *wheel, unsigned kind);
// Sets (or moves) the timer to be due at once, behind those of its kind that are.
void wheel_set_due(struct wheel *wheel, struct wheel_timer *timer);

// When wheel_advance should be called next: at the latest the first expiry,
// perhaps earlier (a level to cascade); now when something is due, or was until it was
// cancelled. UINT64_MAX when no timer is set.
static inline uint64_t wheel_next_ms(const struct wheel *wheel) {
  return wheel->kinds_due == 0 ? wheel->next_slot_ms : wheel->now_ms;
}

#endif
