// A topic: its log (a ring of messages) and who reads it on which port. Every
// message has an ordinal, counted per topic from 0 and never given twice while
// the topic lives; `base` is the oldest kept, `head` the next to come. Cursors
// are ordinals, so the number of messages a cursor missed is a subtraction.
//
// Everything here is guarded by the hub's lock, except where it says that the
// port's thread owns it.
#ifndef TIDEGATE_HUB_TOPIC_H
#define TIDEGATE_HUB_TOPIC_H

#include "base/list.h"
#include "hub/hub.h"

struct topic;

// The subscribers of a topic on one port; exists while there are any.
struct topic_port {
  struct topic *topic;
  struct hub_port *port;
  struct list dirty_link;  // in the port's list of topics to drain
  uint64_t pos;            // messages from here on are not evicted by retention
  uint64_t end;            // messages before it were shown to the port's readers
  // The port's thread owns the array; sub_count changes under the lock too.
  struct hub_sub **subs;
  uint32_t sub_count;
  uint32_t sub_cap;
};

struct topic {
  struct list sweep_link;
  struct message **ring;  // a power of two of places, or NULL
  uint32_t cap;
  uint32_t sub_count;  // on all ports
  uint64_t base;
  uint64_t head;
  uint64_t bytes;               // payload kept
  uint64_t lost_seq;            // no message of this topic with a greater seq is gone
  const struct hub_rule *rule;  // valid while rules_version is the hub's
  uint64_t rules_version;
  struct topic_port **ports;  // those with subscribers
  uint32_t port_count;
  uint8_t name_len;
  char name[];
};

// What a call dropped from a log.
struct topic_loss {
  uint64_t count;
  uint64_t bytes;  // payload
};

// 1 to HUB_TOPIC_MAX bytes of UTF-8 without control characters.
bool topic_name_is_valid(struct slice name);

struct topic *topic_new(struct slice name, uint64_t lost_seq);  // in no list
void topic_free(struct topic *t);  // drops its messages; it has no ports left

static inline struct slice topic_name(const struct topic *t) {
  return slice_of(t->name, t->name_len);
}

// Takes over the reference.
void topic_append(struct topic *t, struct message *m);

// The message of an ordinal in [base, head): borrowed.
static inline struct message *topic_at(const struct topic *t, uint64_t ordinal) {
  return t->ring[ordinal & (t->cap - 1)];
}

// The ordinal of the first kept message with a seq greater than `seq`, or head.
uint64_t topic_find_after(const struct topic *t, uint64_t seq);

// Drops the oldest messages that are beyond the retention of t->rule at the
// time now_ms. What a port has not drained yet stays, unless `is_forced`.
struct topic_loss topic_trim(struct topic *t, uint64_t now_ms, bool is_forced);

static inline bool topic_is_idle(const struct topic *t) {
  return t->sub_count == 0 && t->base == t->head;
}

struct topic_port *topic_port_find(const struct topic *t, const struct hub_port *port);  // or NULL
struct topic_port *topic_port_add(struct topic *t, struct hub_port *port);
void topic_port_remove(struct topic_port *place);  // frees it; it has no subscribers left

#endif
