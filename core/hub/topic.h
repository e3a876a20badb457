// A topic: its log (a ring of messages) and who reads it on which port. Every
// message has an ordinal, counted per topic from 0 and never given twice while
// the topic lives; `base` is the oldest in the ring, `head` the next to come.
// Cursors are ordinals, so the number of messages a cursor missed is a
// subtraction. Before the ring there may be messages that are the newest of
// their key: see keys.h.
//
// Everything here is guarded by the hub's lock, except where it says that the
// port's thread owns it.
#ifndef TIDEGATE_HUB_TOPIC_H
#define TIDEGATE_HUB_TOPIC_H

#include <string.h>

#include "base/list.h"
#include "hub/hub.h"
#include "hub/keys.h"

struct presence;
struct topic;

// The subscriptions of a topic on one port; exists while there are any.
struct topic_port {
  struct topic *topic;
  struct hub_port *port;
  struct list dirty_link;  // in the port's list of topics to deliver
  // Messages from here on are not evicted by retention; in a tap, those before
  // it are of no use any more.
  uint64_t pos;
  uint64_t start;  // a cursor before it is behind: this turn's messages begin there
  uint64_t end;    // messages before it were shown to the port's readers
  // The port's thread owns the array; sub_count changes under the lock too.
  struct hub_sub **subs;
  uint32_t sub_count;
  uint32_t sub_cap : 31;
  uint32_t is_held : 1;  // this delivery does not move pos: see port_hold
};

struct topic {
  struct list used_link;  // in hub->used while it keeps messages
  struct message **ring;  // a power of two of places, or NULL
  struct keys *keys;      // NULL until a message with a key comes
  uint64_t base;
  uint64_t head;
  uint64_t bytes;     // payload in the ring; in a tap all that its messages take
  uint64_t lost_seq;  // no message of this topic with a greater seq is gone, but for one that was
                      // superseded by its key
  const struct hub_rule *rule;  // valid while rules_version is the hub's, as is tap_mask
  uint64_t rules_version;
  uint64_t tap_mask;          // hub->taps that copy this topic's messages
  struct topic_port **ports;  // those with subscriptions
  struct presence *presence;  // NULL without members
  uint32_t cap;
  uint32_t sub_count;  // subscriptions on all ports
  uint32_t port_count;
  uint32_t keyed;  // messages with a key so far, modulo 2^32
  bool is_tap;     // the log of a tap: refers to messages of topics; not among hub->topics
  uint8_t name_len;
  char name[];
};

// What a call dropped from a log. Each publish gets three of them, and two words are returned in
// registers.
struct topic_loss {
  uint64_t bytes;  // message_cost
  uint32_t count;
  bool has_more;  // there is more to drop, for another hold of the lock
};

// 1 to HUB_TOPIC_MAX bytes of UTF-8 without control characters, as patterns and members are.
bool topic_text_is_valid(struct slice text);
// Whether a topic may have that name: HUB_OK, HUB_BAD_TOPIC or HUB_IS_PATTERN.
enum hub_status topic_name_check(struct slice name);
// Whether the hub alone publishes there.
static inline bool topic_is_reserved(struct slice name) {
  enum { LEN = sizeof HUB_PRESENCE_PREFIX - 1 };
  return name.len >= LEN && memcmp(name.ptr, HUB_PRESENCE_PREFIX, LEN) == 0;
}

struct topic *topic_new(struct slice name, uint64_t lost_seq);  // in no list
void topic_free(struct topic *t);  // drops its messages; it has no ports and no presence left

static inline struct slice topic_name(const struct topic *t) {
  return slice_of(t->name, t->name_len);
}

// ---- the log -------------------------------------------------------------

// Takes over the reference, and gives m its ordinal. Returns what that superseded
// outside the ring.
struct topic_loss topic_append(struct topic *t, struct message *m);

// The message of an ordinal in [base, head): borrowed.
static inline struct message *topic_at(const struct topic *t, uint64_t ordinal) {
  return t->ring[ordinal & (t->cap - 1)];
}

// The first message that is kept with an ordinal of at least `ordinal`, and its
// ordinal; NULL when there is none. Borrowed.
struct message *topic_next(const struct topic *t, uint64_t ordinal, uint64_t *found);

// The ordinal of the first and of the last message that is kept for who comes
// late; head when there is none, as where the rule's history is 0: what is in
// that log waits for slow readers only.
uint64_t topic_first(const struct topic *t);
uint64_t topic_last(const struct topic *t);
// That of the first message in the log with a seq greater than `seq`, or head.
uint64_t topic_find_after(const struct topic *t, uint64_t seq);

size_t topic_kept_count(const struct topic *t);

// Messages without a key before the ordinal, which is base, head or that of a
// kept message; modulo 2^32.
uint32_t topic_unkeyed_before(const struct topic *t, uint64_t ordinal);
// The same, just after message m of this topic's log.
static inline uint32_t topic_unkeyed_after(const struct topic *t, const struct message *m) {
  return t->is_tap ? 0 : (uint32_t)m->ordinal - m->keyed + (m->key_len == 0);
}

// What a cursor at `ordinal` that knows of `unkeyed` messages without a key can
// no longer get: messages that are gone and were not superseded.
uint64_t topic_lost_since(const struct topic *t, uint64_t ordinal, uint32_t unkeyed);

// Drops the oldest messages that are beyond the retention of t->rule at the
// time now_ms, TOPIC_TRIM_STEP of them at most. What a port has not delivered yet stays, except
// in a tap.
enum { TOPIC_TRIM_STEP = 1024 };  // what a topic without history holds goes at once
struct topic_loss topic_trim(struct topic *t, uint64_t now_ms);

// Drops the oldest message it keeps (there is one), whoever needs it.
struct topic_loss topic_drop_oldest(struct topic *t);

static inline bool topic_is_empty(const struct topic *t) {
  return t->base == t->head && (t->keys == NULL || t->keys->kept_count == 0);
}

static inline bool topic_is_idle(const struct topic *t) {
  return t->sub_count == 0 && t->presence == NULL && topic_is_empty(t);
}

// ---- ports ---------------------------------------------------------------

struct topic_port *topic_port_find(const struct topic *t, const struct hub_port *port);  // or NULL
struct topic_port *topic_port_add(struct topic *t, struct hub_port *port);
void topic_port_remove(struct topic_port *place);  // frees it; it has no subscriptions left

#endif
