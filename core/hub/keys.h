// Conflation: which message is the newest of its key, and the newest messages
// of keys that have left a topic's ring. A key that is seldom published thus
// keeps its newest message while others fill the ring, and whoever joins late
// gets the newest of each key.
//
// Guarded by the hub's lock.
#ifndef TIDEGATE_HUB_KEYS_H
#define TIDEGATE_HUB_KEYS_H

#include "base/map.h"
#include "base/message.h"

struct kept_message {
  uint64_t ordinal, seq;
  struct message *message;  // NULL: a newer one of its key came
};

// Exists on topics that were ever given a message with a key.
struct keys {
  struct map newest;          // key to the newest message that has it, while that is kept
  struct kept_message *kept;  // those that left the ring, by ordinal: [start, end)
  size_t start, end, cap;
  size_t kept_count;    // without the NULLs
  uint64_t kept_bytes;  // their payload
  // Ordinals of newest messages that are gone, the last HUB_DROPPED of them:
  // what a reader missed beside the messages without a key.
  uint64_t *dropped;
  size_t dropped_cap;
  uint64_t dropped_count;  // ever
};

enum { HUB_DROPPED = 1024 };  // power of two

struct keys *keys_new(void);
void keys_free(struct keys *keys);  // NULL is ignored; drops the messages it keeps

// m, just put in the ring, is the newest of its key. Returns the message that
// was kept for that key outside the ring, which the caller owns now, or NULL.
struct message *keys_note(struct keys *keys, struct message *m);

// Takes over the reference to m, which is the newest of its key and leaves the ring.
void keys_keep(struct keys *keys, struct message *m);

// m, the newest of its key, is gone: it was missed by whoever did not get it.
void keys_forget(struct keys *keys, const struct message *m);

// The oldest and the newest message kept outside the ring, or NULL; borrowed.
struct message *keys_oldest(const struct keys *keys);
struct message *keys_last(const struct keys *keys);
// Takes it out; the caller owns the reference. Does not forget it.
struct message *keys_pop(struct keys *keys);

// The first message kept outside the ring with an ordinal (a seq greater than
// `seq`) of at least `ordinal`, or NULL; borrowed.
struct message *keys_at_or_after(const struct keys *keys, uint64_t ordinal);
struct message *keys_after_seq(const struct keys *keys, uint64_t seq);

// How many newest messages with an ordinal of at least `ordinal` are gone.
uint64_t keys_count_dropped(const struct keys *keys, uint64_t ordinal);

#endif
