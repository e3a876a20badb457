// Wire forms: encoding a message once in the process, and a batch of messages
// once per port, form and turn into one contiguous run that all readers share.
#ifndef TIDEGATE_HUB_BATCH_H
#define TIDEGATE_HUB_BATCH_H

#include "hub/hub.h"

// The contiguous batch of one form.
struct batch_form {
  struct hub_batch batch;
  struct buf bytes;
  size_t *ends;
  size_t ends_cap;
  size_t empty_count;  // messages that the form cannot carry
  bool is_built;
};

struct batch_cache {
  const struct message_encoder *encoders;  // by form; borrowed
  void *tools;                             // of the encoders
  struct message *const *messages;         // borrowed
  size_t count;
  struct batch_form forms[MESSAGE_FORMS];
};

void batch_init(struct batch_cache *cache, const struct message_encoder *encoders, void *tools);
void batch_free(struct batch_cache *cache);

// Starts a batch of `count` (at least 1) messages; the forms are built on first use.
void batch_start(struct batch_cache *cache, struct message *const *messages, size_t count);
const struct batch_form *batch_get(struct batch_cache *cache, unsigned form);

// The encoded form of one message, in a batch or not; empty when the form cannot carry it.
static inline struct slice batch_encode(const struct batch_cache *cache, struct message *m,
                                        unsigned form) {
  const struct message_form *f = message_form(m, form, &cache->encoders[form], cache->tools);
  return slice_of(f->bytes, f->len);
}

// How many of the first `taken` messages of a batch its form could not carry.
size_t batch_count_empty(const struct batch_form *form, size_t taken);

// Gives memory back that an unusually large turn needed.
void batch_shrink(struct batch_cache *cache);

#endif
