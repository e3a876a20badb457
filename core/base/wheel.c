// Timer wheel: see wheel.h. Level n has 64 slots of 64^n ms. A timer lies in
// the lowest level whose span still contains it; when the wheel reaches a
// higher slot, its timers cascade down one or more levels. (The scheme of
// Varghese and Lauck, 1987.)
#include "base/wheel.h"

#include <stddef.h>

enum { SLOT_MASK = WHEEL_SLOTS - 1 };

void wheel_init(struct wheel *wheel, uint64_t now_ms) {
  wheel->now_ms = now_ms;
  wheel->next_slot_ms = UINT64_MAX;
  wheel->kinds_due = 0;
  for (int kind = 0; kind < WHEEL_KINDS; kind++) list_init(&wheel->due[kind]);
  for (int level = 0; level < WHEEL_LEVELS; level++) {
    wheel->occupied[level] = 0;
    for (int i = 0; i < WHEEL_SLOTS; i++) list_init(&wheel->slots[level][i]);
  }
}

void wheel_timer_init(struct wheel_timer *timer, void (*fire)(struct wheel_timer *timer)) {
  list_init(&timer->link);
  timer->kind = 0;
  timer->expires_ms = 0;
  timer->fire = fire;
}

static void place(struct wheel *wheel, struct wheel_timer *timer) {
  uint64_t due = timer->expires_ms > wheel->now_ms ? timer->expires_ms : wheel->now_ms + 1;
  uint64_t horizon = wheel->now_ms + ((uint64_t)1 << (WHEEL_BITS * WHEEL_LEVELS)) - 1;
  if (due > horizon) due = horizon;
  // The highest bit in which due and now differ tells the level.
  uint64_t differs = due ^ wheel->now_ms;
  int level = (63 - __builtin_clzll(differs)) / WHEEL_BITS;
  if (level >= WHEEL_LEVELS) level = WHEEL_LEVELS - 1;
  int slot = (int)((due >> (level * WHEEL_BITS)) & SLOT_MASK);
  list_append(&wheel->slots[level][slot], &timer->link);
  wheel->occupied[level] |= (uint64_t)1 << slot;
  uint64_t slot_ms = due >> (level * WHEEL_BITS) << (level * WHEEL_BITS);
  if (slot_ms < wheel->next_slot_ms) wheel->next_slot_ms = slot_ms;
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t expires_ms) {
  list_remove(&timer->link);
  timer->expires_ms = expires_ms & (((uint64_t)1 << 60) - 1);
  place(wheel, timer);
}

void wheel_cancel(struct wheel_timer *timer) { list_remove(&timer->link); }

static void append_due(struct wheel *wheel, struct wheel_timer *timer) {
  list_append(&wheel->due[timer->kind], &timer->link);
  wheel->kinds_due |= 1u << timer->kind;
}

static void run_slot(struct wheel *wheel, int level, int slot) {
  wheel->occupied[level] &= ~((uint64_t)1 << slot);
  struct list timers;
  list_init(&timers);
  list_splice(&timers, &wheel->slots[level][slot]);
  struct list *node;
  while ((node = list_pop(&timers)) != NULL) {
    struct wheel_timer *timer = list_entry(node, struct wheel_timer, link);
    if (timer->expires_ms > wheel->now_ms)
      place(wheel, timer);
    else
      append_due(wheel, timer);
  }
}

// Distance in slots from the current one of `level` to the next occupied one
// (1 to 64), or 0 when the level is empty.
static unsigned next_slot(const struct wheel *wheel, int level) {
  if (wheel->occupied[level] == 0) return 0;
  unsigned current = (unsigned)(wheel->now_ms >> (level * WHEEL_BITS)) & SLOT_MASK;
  unsigned turn = (current + 1) & SLOT_MASK;
  uint64_t bits = wheel->occupied[level];
  if (turn != 0) bits = (bits >> turn) | (bits << (WHEEL_SLOTS - turn));
  return (unsigned)__builtin_ctzll(bits) + 1;
}

static uint64_t find_next_slot_ms(const struct wheel *wheel) {
  uint64_t next = UINT64_MAX;
  for (int level = 0; level < WHEEL_LEVELS; level++) {
    unsigned distance = next_slot(wheel, level);
    if (distance == 0) continue;
    uint64_t tick = (wheel->now_ms >> (level * WHEEL_BITS)) + distance;
    uint64_t at = tick << (level * WHEEL_BITS);
    if (at < next) next = at;
  }
  return next;
}

void wheel_run_slots(struct wheel *wheel, uint64_t now_ms) {
  while (wheel->next_slot_ms <= now_ms) {
    uint64_t next = wheel->now_ms = wheel->next_slot_ms;
    // Highest level first, so that what cascades is in place for the lower.
    for (int level = WHEEL_LEVELS - 1; level >= 0; level--) {
      uint64_t below = next & (((uint64_t)1 << (level * WHEEL_BITS)) - 1);
      if (below == 0) run_slot(wheel, level, (int)((next >> (level * WHEEL_BITS)) & SLOT_MASK));
    }
    wheel->next_slot_ms = find_next_slot_ms(wheel);
  }
}

struct wheel_timer *wheel_take_due(struct wheel *wheel, unsigned kind) {
  struct list *node = list_pop(&wheel->due[kind]);
  if (list_is_empty(&wheel->due[kind])) wheel->kinds_due &= ~(1u << kind);
  return node != NULL ? list_entry(node, struct wheel_timer, link) : NULL;
}

void wheel_set_due(struct wheel *wheel, struct wheel_timer *timer) {
  list_remove(&timer->link);
  append_due(wheel, timer);
}
