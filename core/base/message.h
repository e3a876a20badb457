// A message: immutable once published, reference-counted across threads, and
// carrying its encoded wire forms so that the process encodes it at most once
// per form however many connections receive it.
#ifndef TIDEGATE_BASE_MESSAGE_H
#define TIDEGATE_BASE_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/slice.h"

enum message_kind { MESSAGE_TEXT, MESSAGE_BINARY };

// Wire forms a message may be cached in; what each index means is decided by
// whoever registers encoders with the hub (net/wire.h).
enum { MESSAGE_FORMS = 5 };

// The encoded bytes of one form. len 0: this form does not carry the message.
struct message_form {
  metric_value *held_bytes;  // of the encoder that made it
  size_t len;
  char bytes[];
};

struct message {
  atomic_uint refs;
  uint8_t kind;       // enum message_kind
  uint8_t event_len;  // SSE event name, 0 for none
  uint8_t topic_len;
  bool is_json;      // the payload is known to be JSON
  uint16_t key_len;  // conflation key, 0 for none
  uint32_t size;     // payload bytes
  uint64_t except;   // id of the connection that is left out, 0 for none
  // Set by the hub when it is published; 0 before:
  uint64_t seq;
  uint64_t published_ms;  // monotonic
  uint64_t time_ns;       // the same moment, since 1970
  uint64_t ordinal;       // its place in the log of its topic
  uint64_t newer;         // ordinal of the next message with its key, 0: none; the hub's lock
  uint32_t keyed;         // messages with a key before it in the log, modulo 2^32
  _Atomic(struct message_form *) forms[MESSAGE_FORMS];
  char data[];  // payload, then event name, key, and topic
};

struct message_fields {
  enum message_kind kind;
  bool is_json;
  struct slice payload;  // at most UINT32_MAX bytes
  struct slice event;    // at most 255 bytes, no CR, LF or NUL
  struct slice key;      // at most 65535 bytes
  struct slice topic;    // at most 255 bytes
  uint64_t except;
};

// Copies the fields into a new message with one reference.
struct message *message_new(const struct message_fields *fields);

static inline struct message *message_ref(struct message *m) {
  atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
  return m;
}

// Drops one reference; the last one frees the message and its forms. NULL is ignored.
void message_unref(struct message *m);

static inline struct slice message_payload(const struct message *m) {
  return slice_of(m->data, m->size);
}
static inline struct slice message_event(const struct message *m) {
  return slice_of(m->data + m->size, m->event_len);
}
static inline struct slice message_key(const struct message *m) {
  return slice_of(m->data + m->size + m->event_len, m->key_len);
}

static inline struct slice message_topic(const struct message *m) {
  return slice_of(m->data + m->size + m->event_len + m->key_len, m->topic_len);
}

// The memory it takes, without its forms; with a key, that of finding it by its key as well.
enum { MESSAGE_KEY_COST = 96 };
static inline size_t message_cost(const struct message *m) {
  return sizeof *m + m->size + m->event_len + m->key_len + m->topic_len +
         (m->key_len > 0 ? MESSAGE_KEY_COST : 0);
}

// Appends the wire form of m to out; appends nothing when the form cannot
// carry it. `epoch` is the hub's, for ids; `tools` is what the caller of
// message_form has for encoding, and its thread's alone.
typedef void message_encode_fn(const struct message *m, const char *epoch, void *tools,
                               struct buf *out);

// What makes one form, and counts it. Lives longer than the messages.
struct message_encoder {
  message_encode_fn *encode;
  const char *epoch;
  metric_value *encoded;     // forms made
  metric_value *held_bytes;  // memory of the forms that exist
};

// The cached form `index` of m, made by the encoder on first use. Safe from any
// thread; concurrent first uses encode once, the others wait for it. The bytes
// live as long as the message.
const struct message_form *message_form(struct message *m, unsigned index,
                                        const struct message_encoder *encoder, void *tools);

#endif
