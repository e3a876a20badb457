// A growable byte buffer with a consumed front: bytes are appended at the end
// and consumed from the start without moving the rest. Zero-initialised is
// empty and owns nothing.
#ifndef TIDEGATE_BASE_BUF_H
#define TIDEGATE_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
  char *data;
  size_t start;  // first byte not consumed
  size_t end;    // one past the last byte
  size_t cap;
};

static inline size_t buf_len(const struct buf *b) { return b->end - b->start; }

// Borrows the unconsumed bytes; valid until the next call that changes b.
static inline struct slice buf_slice(const struct buf *b) {
  return slice_of(b->data + b->start, b->end - b->start);
}

// Makes room for `bytes` more and returns where they go; follow with buf_grew.
char *buf_reserve(struct buf *b, size_t bytes);
static inline void buf_grew(struct buf *b, size_t bytes) { b->end += bytes; }

void buf_append(struct buf *b, const void *ptr, size_t bytes);
static inline void buf_append_slice(struct buf *b, struct slice s) { buf_append(b, s.ptr, s.len); }
static inline void buf_append_str(struct buf *b, const char *text) {
  buf_append(b, text, strlen(text));
}
void buf_append_char(struct buf *b, char c);
void buf_append_decimal(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Drops `bytes` (at most buf_len) from the front.
void buf_consume(struct buf *b, size_t bytes);

// Drops `bytes` (at most buf_len) from the end.
static inline void buf_chop(struct buf *b, size_t bytes) { b->end -= bytes; }

// Empties b and keeps its memory.
static inline void buf_clear(struct buf *b) { b->start = b->end = 0; }

// Releases the memory; b is empty and usable again afterwards.
void buf_free(struct buf *b);

#endif
