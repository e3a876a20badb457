// What the hub's own files share: the hub, its ports and subscriptions. Nobody
// outside core/hub/ includes it (tests that need to lower a bound do).
#ifndef TIDEGATE_HUB_INTERNAL_H
#define TIDEGATE_HUB_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "hub/batch.h"
#include "hub/hub.h"
#include "hub/rules.h"
#include "hub/topic.h"

enum {
  HUB_EPOCH_LEN = 10,     // with '-' and 20 digits an id fits HUB_ID_MAX
  HUB_VANISHED = 4096,    // power of two
  HUB_SWEEP_CALLS = 128,  // in so many every topic is looked at ...
  HUB_SWEEP_STEP = 256,   // ... so many slots of the map in one hold of the lock ...
  HUB_SWEEP_MIN = 2048,   // ... and so many in a call at least
  HUB_TRIM_BYTES = 4 * 1024 * 1024,
};

// What a topic that keeps messages costs beside them, about: its struct, name
// and ring, and its share of the map.
#define HUB_TOPIC_COST (sizeof(struct topic) + 160)

struct hub {
  pthread_mutex_t lock;
  // Guarded by the lock:
  struct map topics;        // name to struct topic
  uint64_t topics_version;  // changes when entries of the map may have moved
  size_t sweep_at;          // slot of the map where the next sweep goes on
  struct list used;         // topics that keep messages, the least recently used first
  struct topic *taps[HUB_TAPS];
  uint64_t tap_mask;  // which taps there are
  struct rules *rules;
  uint64_t rules_version;
  uint64_t seq;         // the newest given to a message
  uint64_t kept_bytes;  // of all messages in topics and these topics, without the forms
  struct hub_limits limits;
  uint64_t held_peak;     // since memory was last given back; the sweeping thread's own, as is
  bool is_shrinking;      // whether much has gone since it was little
  struct list presences;  // with something to tell: see presence.h
  struct list leaving;    // members in their grace period
  uint32_t port_count;
  // What a topic that is gone had published up to which seq: without it, a
  // topic of the same name would tell an old id that nothing was missed. Names
  // share places, which errs on the side of telling a gap.
  uint64_t vanished[HUB_VANISHED];
  // Constant:
  char epoch[HUB_EPOCH_LEN + 1];
  struct message_encoder encoders[MESSAGE_FORMS];
  struct hub_counters counters;
};

// A subscription: a cursor of one reader in the log of one topic. There are as
// many as connections and more: 56 bytes fill an allocation of 64.
enum { HUB_SUB_INDEX_BITS = 27 };

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

// What one delivery took out of one topic: messages [first, first + count) of the turn.
struct turn_topic {
  struct topic_port *place;
  size_t first;
  size_t count;
  uint64_t start;  // ordinal of the first
  uint64_t base;   // oldest in the ring then
  bool has_hole;   // what was to come before `start` is gone
  enum hub_lag lag;
};

struct turn {
  struct message **messages;  // one reference each
  size_t message_count;
  size_t message_cap;
  struct turn_topic *topics;
  size_t topic_count;
  size_t topic_cap;
  size_t live_count;  // topics with messages
};

// A gap to tell, and a place in the merge of several logs: see pump.c.
struct pump_gap {
  struct hub_sub *sub;
  uint64_t missed;
  enum hub_lag policy;
};

struct pump_head {
  uint64_t ordinal;
  struct message *message;
  struct hub_sub *sub;
  uint32_t skipped;  // superseded messages passed over to get here
  bool conflates;    // its reader gets the newest of each key
};

struct pump_scratch {
  struct pump_gap *gaps;
  size_t gap_count;
  struct pump_head *heap;  // by seq, the smallest first
  size_t heap_count;
  size_t cap;  // of each
};

struct hub_port {
  struct hub *hub;
  struct hub_port_ops ops;
  void *ctx;
  atomic_bool is_signalled;  // there is work since the last delivery; changed under the lock
  atomic_uint waker_count;   // threads about to call wake
  struct list dirty;         // topic_ports with something to deliver; under the lock
  // The port's thread owns the rest:
  uint64_t sub_count;
  struct list pump;  // readers to bring up to date
  bool is_delivering;
  struct turn turn;
  struct batch_cache batches;
  struct pump_scratch scratch;
};

// The ports to wake once the lock is released: waking is a system call.
struct hub_wakes {
  size_t count;
  struct hub_port *ports[HUB_PORTS];
};
void hub_wake_ports(struct hub_wakes *wakes);  // without the lock; empties wakes

// ---- hub.c, with the lock held -------------------------------------------

struct topic *hub_topic_find(struct hub *hub, struct slice name);  // or NULL
struct topic *hub_topic_create(struct hub *hub, struct slice name);
// The topic that keeps a message of that name, created if its rule says so;
// NULL: nobody would see it there, so a stray publish leaves nothing behind.
struct topic *hub_topic_for(struct hub *hub, struct slice name);
const struct hub_rule *hub_topic_rule(struct hub *hub, struct topic *t);
void hub_topic_used(struct hub *hub, struct topic *t);  // just now, by whoever publishes or reads
// Brings t's rule up to date and drops what is beyond retention; frees t when it then is idle.
// Returns whether it did.
bool hub_topic_settle(struct hub *hub, struct topic *t, uint64_t now_ms);
// The same, but an idle topic stays, for a caller that is about to use it.
void hub_topic_trim(struct hub *hub, struct topic *t, uint64_t now_ms);
// Has the port deliver this topic: true when its thread must be woken for it.
bool hub_port_mark(struct topic_port *place);
// Keeps the messages from `cursor` on until the port's next delivery is over, and marks the
// topic for it: true when the port's thread must be woken.
bool hub_port_hold(struct topic_port *place, uint64_t cursor);
// Publishes m, whose topic is valid, without a look at its size; borrows m.
void hub_publish_locked(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                        struct hub_wakes *wakes);

// ---- tap.c, with the lock held -------------------------------------------

// The taps whose pattern matches a topic, one bit each.
uint64_t tap_mask_of(const struct hub *hub, struct slice topic);
const struct hub_rule *tap_rule(void);
void tap_remove(struct hub *hub, struct topic *tap);  // frees it; nobody reads it any more

// ---- join.c, with the lock held ------------------------------------------

// Where to start after an id, and what is known to be lost since: see hub_join_result.
uint64_t hub_start_after_id(const struct hub *hub, const struct topic *t, struct slice id,
                            struct hub_join_result *result);
// Puts a new cursor of the reader at the topic's head.
struct hub_sub *hub_sub_add(struct hub_reader *reader, struct topic *t);

// ---- cursors -------------------------------------------------------------

// Moves the cursor on, past messages that were delivered or superseded. `unkeyed`:
// messages without a key before it.
static inline void hub_sub_advance(struct hub_sub *sub, uint64_t cursor, uint32_t unkeyed) {
  sub->cursor = cursor;
  if ((int32_t)(unkeyed - sub->unkeyed) > 0) sub->unkeyed = unkeyed;
}
// Sets it anywhere; what is lost by now does not count as missed any more.
static inline void hub_sub_set(struct hub_sub *sub, uint64_t cursor) {
  const struct topic *t = sub->place->topic;
  sub->cursor = cursor;
  sub->unkeyed = topic_unkeyed_before(t, cursor > t->base ? cursor : t->base);
}

// ---- between the files of a port -----------------------------------------

// Notes that sub waits for messages, and has its reader pumped unless it is blocked.
void port_sub_defer(struct hub_sub *sub);

// Tells a gap; ends the reader when the policy says so.
void port_tell_gap(struct hub_sub *sub, uint64_t missed, enum hub_lag policy);

// Brings one reader up to date from the logs, as far as it takes the messages.
// False when it left some without being blocked: then it is to be pumped again.
bool pump_reader(struct hub_port *port, struct hub_reader *reader);

#endif
