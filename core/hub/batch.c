// Wire forms and shared batches: see batch.h.
#include "hub/batch.h"

#include <stdlib.h>

#include "base/mem.h"

enum { KEEP_BYTES = 1024 * 1024 };

void batch_init(struct batch_cache *cache, const struct message_encoder *encoders, void *tools) {
  *cache = (struct batch_cache){.encoders = encoders, .tools = tools};
}

void batch_free(struct batch_cache *cache) {
  for (int i = 0; i < MESSAGE_FORMS; i++) {
    buf_free(&cache->forms[i].bytes);
    free(cache->forms[i].ends);
  }
  *cache = (struct batch_cache){0};
}

void batch_start(struct batch_cache *cache, struct message *const *messages, size_t count) {
  cache->messages = messages;
  cache->count = count;
  for (int i = 0; i < MESSAGE_FORMS; i++) cache->forms[i].is_built = false;
}

static void reserve_ends(struct batch_form *f, size_t count) {
  f->ends = mem_grow(f->ends, &f->ends_cap, count, 64, sizeof *f->ends);
}

static void build(struct batch_cache *cache, unsigned form) {
  struct batch_form *f = &cache->forms[form];
  reserve_ends(f, cache->count);
  f->empty_count = 0;
  struct slice bytes = batch_encode(cache, cache->messages[0], form);
  if (cache->count == 1) {
    // The message's own form serves as the batch: nothing to copy.
    f->ends[0] = bytes.len;
    f->empty_count = bytes.len == 0;
  } else {
    buf_clear(&f->bytes);
    buf_reserve(&f->bytes, 1);  // so that ptr is not NULL even when all are empty
    for (size_t i = 0; i < cache->count; i++) {
      struct slice one = batch_encode(cache, cache->messages[i], form);
      f->empty_count += one.len == 0;
      buf_append_slice(&f->bytes, one);
      f->ends[i] = buf_len(&f->bytes);
    }
    bytes = buf_slice(&f->bytes);
  }
  f->batch = (struct hub_batch){cache->messages, cache->count, bytes, f->ends};
  f->is_built = true;
}

const struct batch_form *batch_get(struct batch_cache *cache, unsigned form) {
  if (!cache->forms[form].is_built) build(cache, form);
  return &cache->forms[form];
}

size_t batch_count_empty(const struct batch_form *f, size_t taken) {
  if (f->empty_count == 0) return 0;
  if (taken == f->batch.count) return f->empty_count;
  size_t count = 0, start = 0;
  for (size_t i = 0; i < taken; start = f->ends[i++]) count += f->ends[i] == start;
  return count;
}

void batch_shrink(struct batch_cache *cache) {
  for (int i = 0; i < MESSAGE_FORMS; i++) {
    struct batch_form *f = &cache->forms[i];
    if (f->bytes.cap > KEEP_BYTES) buf_free(&f->bytes);
    if (f->ends_cap * sizeof *f->ends > KEEP_BYTES) {
      free(f->ends);
      f->ends = NULL;
      f->ends_cap = 0;
    }
  }
}
