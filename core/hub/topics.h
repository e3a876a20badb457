// The topics of a hub by name: which there are, the rule each has, and the memory that
// all of them take. Everything here is called with the hub's lock held.
#ifndef TIDEGATE_HUB_TOPICS_H
#define TIDEGATE_HUB_TOPICS_H

#include "hub/state.h"

enum {
  HUB_SWEEP_CALLS = 128,  // in so many every topic is looked at ...
  HUB_SWEEP_STEP = 256,   // ... so many slots of the map in one hold of the lock
  HUB_MOVE_STEP = 1024,
};

// What a topic that keeps messages costs beside them, about: its struct, name
// and ring, and its share of the map.
#define HUB_TOPIC_COST (sizeof(struct topic) + 160)

static inline struct topic *topics_find(const struct hub *hub, struct slice name) {  // or NULL
  return map_get(&hub->topics, name);
}
struct topic *topics_create(struct hub *hub, struct slice name);
// The topic that keeps a message of that name, created if its rule says so;
// NULL: nobody would see it there, so a stray publish leaves nothing behind.
struct topic *topics_for(struct hub *hub, struct slice name);

// ---- rules ---------------------------------------------------------------

void topics_look_up(struct hub *hub, struct topic *t);  // its rule and its taps
static inline const struct hub_rule *topics_rule(struct hub *hub, struct topic *t) {
  if (t->rules_version != hub->rules_version) topics_look_up(hub, t);
  return t->rule;
}
// The same for a topic that may not exist: then t is NULL.
static inline const struct hub_rule *topics_rule_of(struct hub *hub, struct topic *t,
                                                    struct slice name) {
  return t != NULL ? topics_rule(hub, t) : rules_find(hub->rules, name);
}

// ---- retention -----------------------------------------------------------

void topics_note_used(struct hub *hub, struct topic *t);  // just now: published to or read
// Brings t's rule up to date and drops what is beyond retention; frees t when it then is idle.
// Returns whether it did.
bool topics_settle(struct hub *hub, struct topic *t, uint64_t now_ms);
// The same, but an idle topic stays, for a caller that is about to use it. Both drop a step only:
// has_more in what this one returns says that there is more.
struct topic_loss topics_trim(struct hub *hub, struct topic *t, uint64_t now_ms);
// The topic of that name, brought up to date altogether, in as many holds of the lock as that
// takes. NULL when there is none.
struct topic *topics_find_trimmed(struct hub *hub, struct slice name, uint64_t now_ms);

// A message of that seq was published to a topic that does not exist: it is gone.
void topics_note_vanished(struct hub *hub, struct slice name, uint64_t seq);

// While entries of the map move to other places, moves HUB_MOVE_STEP of them; false when none do.
bool topics_move_step(struct hub *hub);

// Settles the topics of up to HUB_SWEEP_STEP places of the map, from where the last call ended;
// fewer where many messages are due. Returns of how many. While entries of the map move to other
// places, a call moves HUB_MOVE_STEP instead, and counts them as the few that they cost: entries
// would slip by those who look.
size_t topics_sweep_step(struct hub *hub, uint64_t now_ms);

// Frees what was taken out of hub->doomed; needs no lock.
void topics_free_doomed(struct list *doomed);

// ---- memory --------------------------------------------------------------

// Counts what a call dropped from t's log.
static inline void topics_account(struct hub *hub, const struct topic *t,
                                  const struct topic_loss *loss) {
  // What a tap holds are references, bounded by the tap's own rule.
  if (t->is_tap || loss->count == 0) return;
  hub->kept_bytes -= loss->bytes;
  metric_count(&hub->counters.evicted, loss->count);
}

// Of all messages, with the encoded forms, and of all members.
static inline uint64_t topics_held_bytes(const struct hub *hub) {
  return hub->kept_bytes + (uint64_t)metric_get(&hub->counters.form_bytes) + hub->presence_bytes;
}

// Drops the oldest messages of the least recently used topics, needed or not, while all
// logs and members together hold more than they may. False when there is more to do: one call takes
// a bounded number of them.
bool topics_evict(struct hub *hub);
static inline bool topics_are_within_limit(const struct hub *hub) {
  return topics_held_bytes(hub) <= hub->limits.max_bytes;
}

// About what messages and topics take, also those topics that keep nothing.
uint64_t topics_footprint(const struct hub *hub);

#endif
