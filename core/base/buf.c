// Growable byte buffer: see buf.h.
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/mem.h"

char *buf_reserve(struct buf *b, size_t bytes) {
  if (b->cap - b->end >= bytes && b->data != NULL) return b->data + b->end;
  size_t len = buf_len(b);
  // Reuse the consumed front when that alone gives room and moving is cheap.
  if (b->data != NULL && b->cap - len >= bytes && b->start >= len) {
    memmove(b->data, b->data + b->start, len);
  } else {
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap - len < bytes) cap *= 2;
    char *data = mem_alloc(cap);
    if (b->data != NULL) memcpy(data, b->data + b->start, len);
    free(b->data);
    b->data = data;
    b->cap = cap;
  }
  b->start = 0;
  b->end = len;
  return b->data + b->end;
}

void buf_append(struct buf *b, const void *ptr, size_t bytes) {
  if (bytes == 0) return;
  memcpy(buf_reserve(b, bytes), ptr, bytes);
  b->end += bytes;
}

void buf_append_char(struct buf *b, char c) { buf_append(b, &c, 1); }

void buf_append_decimal(struct buf *b, uint64_t value) {
  buf_grew(b, decimal_write(value, buf_reserve(b, DECIMAL_MAX)));
}

void buf_printf(struct buf *b, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (length > 0) {
    vsnprintf(buf_reserve(b, (size_t)length + 1), (size_t)length + 1, format, again);
    b->end += (size_t)length;
  }
  va_end(again);
}

void buf_consume(struct buf *b, size_t bytes) {
  b->start += bytes;
  if (b->start == b->end) b->start = b->end = 0;
}

void buf_free(struct buf *b) {
  free(b->data);
  *b = (struct buf){0};
}
