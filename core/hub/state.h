// The state of a hub: what its lock guards, and what is constant. Within core/hub every
// file may include it; nobody outside does (tests that lower a bound do).
#ifndef TIDEGATE_HUB_STATE_H
#define TIDEGATE_HUB_STATE_H

#include <pthread.h>

#include "base/map.h"
#include "hub/hub.h"
#include "hub/rules.h"
#include "hub/topic.h"

enum {
  HUB_EPOCH_LEN = 10,   // with '-' and 20 digits an id fits HUB_ID_MAX
  HUB_VANISHED = 4096,  // power of two
};

struct hub {
  pthread_mutex_t lock;
  // Guarded by the lock:
  struct map topics;        // name to struct topic
  uint64_t topics_version;  // changes when entries move to other places of the map
  size_t sweep_at;          // slot of the map where the next sweep goes on
  struct list used;         // topics that keep messages, the least recently used first
  struct topic *taps[HUB_TAPS];
  struct list doomed;  // taps that are gone, to be freed by a sweep without the lock
  uint64_t tap_mask;   // which taps there are
  struct rules *rules;
  uint64_t rules_version;
  uint64_t seq;             // the newest given to a message
  uint64_t kept_bytes;      // of all messages in topics and these topics, without the forms
  uint64_t presence_bytes;  // of all members
  struct hub_limits limits;
  int64_t wall_offset_ns;  // for the time of messages: as the clock was at the last sweep
  uint64_t held_peak;      // since memory was last given back; the sweeping thread's own, as is
  bool is_shrinking;       // whether much has gone since it was little
  struct list presences;   // with something to tell: see presence.h
  struct list leaving;     // members in their grace period
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

#endif
