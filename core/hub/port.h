// A port: the side of the hub that one worker's thread owns, what it keeps from one
// delivery to the next, and how other threads give it work.
#ifndef TIDEGATE_HUB_PORT_H
#define TIDEGATE_HUB_PORT_H

#include "hub/batch.h"
#include "hub/cursor.h"
#include "hub/state.h"

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

// A gap to tell, and a place in the merge of several logs: see pump.h.
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
  struct list pump;     // readers to bring up to date
  size_t pumped_bytes;  // in this delivery
  bool is_delivering;
  struct turn turn;
  struct batch_cache batches;
  struct pump_scratch scratch;
};

// The ports to wake once the lock is released: waking is a system call.
struct port_wakes {
  size_t count;
  struct hub_port *ports[HUB_PORTS];
};

// Marks a topic with news for every port that has subscriptions to it, and notes the ports
// whose threads must be woken. `from` is the port of the calling thread, or NULL: it is
// woken only while it delivers, else it looks by itself. With the lock held.
void port_mark_topic(const struct topic *t, struct hub_port *from, struct port_wakes *wakes);

// Keeps the messages from `cursor` on until the port's next delivery is over, and marks the
// topic for it: true when the port's thread must be woken. With the lock held.
bool port_hold(struct topic_port *place, uint64_t cursor);

void port_wake_all(struct port_wakes *wakes);  // without the lock; empties wakes

// Whether other threads gave it work since the last delivery.
static inline bool port_is_signalled(const struct hub_port *port) {
  return atomic_load_explicit(&port->is_signalled, memory_order_acquire);
}

#endif
