// A subscription, which is a cursor: where one reader is in the log of one topic. The
// port's thread owns it; what asks the log (cursor_set) is called with the hub's lock held.
#ifndef TIDEGATE_HUB_CURSOR_H
#define TIDEGATE_HUB_CURSOR_H

#include "hub/hub.h"
#include "hub/topic.h"

enum { HUB_SUB_INDEX_BITS = 27 };

// There are as many as sessions and more: 56 bytes fill an allocation of 64.
struct hub_sub {
  struct hub_sub *next;  // in the reader's ring of subscriptions, by time of joining
  struct hub_sub *prev;
  struct hub_sub *behind_next;  // in reader->behind
  struct hub_reader *reader;
  struct topic_port *place;
  uint64_t cursor;  // ordinal of the next message it gets
  // Messages without a key that it got, was told to have missed, or that were
  // there before it, modulo 2^32: so a loss among kept messages is told once.
  uint32_t unkeyed;
  uint32_t index : HUB_SUB_INDEX_BITS;  // in place->subs
  uint32_t lag : 2;                     // enum hub_lag
  uint32_t is_behind : 1;               // in reader->behind
  uint32_t is_member : 1;               // presence knows it
};

_Static_assert(HUB_MAX_SUBSCRIPTIONS <= 1 << HUB_SUB_INDEX_BITS,
               "hub_sub.index counts the subscriptions of a port");
_Static_assert(sizeof(struct hub_sub) <= 56, "a subscription fits an allocation of 64 bytes");

// Moves the cursor on, past messages that were delivered or superseded. `unkeyed`:
// messages without a key before it.
static inline void cursor_advance(struct hub_sub *sub, uint64_t cursor, uint32_t unkeyed) {
  sub->cursor = cursor;
  if ((int32_t)(unkeyed - sub->unkeyed) > 0) sub->unkeyed = unkeyed;
}
// Sets it anywhere; what is lost by now does not count as missed any more.
static inline void cursor_set(struct hub_sub *sub, uint64_t cursor) {
  const struct topic *t = sub->place->topic;
  sub->cursor = cursor;
  sub->unkeyed = topic_unkeyed_before(t, cursor > t->base ? cursor : t->base);
}

#endif
