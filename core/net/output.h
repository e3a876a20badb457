// What a connection has to write and the socket did not take yet: the rest of a
// topic message that was written in part, then direct output. What the hub delivers
// comes behind. Connections have one only while they need it, so one that is idle
// holds none, and one that is slow holds no buffer that is empty.
#ifndef TIDEGATE_NET_OUTPUT_H
#define TIDEGATE_NET_OUTPUT_H

#include <stddef.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/message.h"
#include "net/spares.h"

struct output {
  struct buf direct;
  struct message *pinned;    // the topic message that was written in part, or NULL ...
  struct slice pinned_rest;  // ... and what is left of its wire form
  int untaken;               // see sock_has_taken
  size_t held;               // of worker->output_bytes, while the socket is full
};

enum { OUTPUT_PARTS = 2 };  // what output_gather needs at most

// An empty one, out of the spares if one is there. output_give takes it back.
struct output *output_take(struct spares *spares);
void output_give(struct output *output, struct spares *spares);
void output_free_spares(struct spares *spares);

static inline size_t output_direct_bytes(const struct output *output) {
  return output != NULL ? buf_len(&output->direct) : 0;
}

// Lays out what `output` (may be NULL) holds. Returns the number of parts, and in
// `bytes` what they hold.
int output_gather(const struct output *output, struct iovec parts[OUTPUT_PARTS], size_t *bytes);

// Takes `put` written bytes off it (may be NULL). Returns how many are over: they belong
// to what was written behind it.
size_t output_consume(struct output *output, size_t put);

// The message begun, of whose wire form `rest` is to be written; nothing must be
// pinned. Holds a reference.
void output_pin(struct output *output, struct message *message, struct slice rest);

#endif
