// What a connection has to write: see output.h.
#include "net/output.h"

#include <stdlib.h>

#include "base/mem.h"

enum { KEPT_BYTES = 2048 };  // of a buffer, for the next one

struct output *output_take(struct spares *spares) {
  struct output *output = spares_take(spares);
  return output != NULL ? output : mem_zalloc(sizeof *output);
}

void output_give(struct output *output, struct spares *spares) {
  message_unref(output->pinned);
  buf_clear(&output->direct);
  *output = (struct output){.direct = output->direct};
  if (output->direct.cap > KEPT_BYTES || !spares_give(spares, output)) {
    buf_free(&output->direct);
    free(output);
  }
}

void output_free_spares(struct spares *spares) {
  for (struct output *output; (output = spares_take(spares)) != NULL; free(output))
    buf_free(&output->direct);
}

static void add_part(struct iovec *parts, int *count, size_t *bytes, struct slice part) {
  parts[(*count)++] = (struct iovec){(char *)part.ptr, part.len};
  *bytes += part.len;
}

// The pinned message first, always: the peer has its beginning already.
int output_gather(const struct output *output, struct iovec parts[OUTPUT_PARTS], size_t *bytes) {
  int count = 0;
  *bytes = 0;
  if (output == NULL) return 0;
  if (output->pinned != NULL) add_part(parts, &count, bytes, output->pinned_rest);
  if (buf_len(&output->direct) > 0) add_part(parts, &count, bytes, buf_slice(&output->direct));
  return count;
}

size_t output_consume(struct output *output, size_t put) {
  if (output == NULL) return put;
  if (output->pinned != NULL) {
    struct slice *rest = &output->pinned_rest;
    if (put < rest->len) {
      *rest = slice_of(rest->ptr + put, rest->len - put);
      return 0;
    }
    put -= rest->len;
    message_unref(output->pinned);
    output->pinned = NULL;
  }
  size_t direct = buf_len(&output->direct);
  size_t step = put < direct ? put : direct;
  buf_consume(&output->direct, step);
  return put - step;
}

void output_pin(struct output *output, struct message *message, struct slice rest) {
  output->pinned = message_ref(message);
  output->pinned_rest = rest;
}
