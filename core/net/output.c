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

static struct slice pinned_rest(const struct output *output, const struct hub_reader *reader) {
  struct slice form = hub_form(reader->port, output->pinned, reader->form);
  return (struct slice){form.ptr + output->pinned_offset, form.len - output->pinned_offset};
}

static void add_part(struct iovec *parts, int *count, size_t *bytes, struct slice part) {
  parts[(*count)++] = (struct iovec){(char *)part.ptr, part.len};
  *bytes += part.len;
}

// The pinned message first, always: the peer has its beginning already.
int output_gather(const struct output *output, const struct hub_reader *reader,
                  struct iovec parts[OUTPUT_PARTS], size_t *bytes) {
  int count = 0;
  *bytes = 0;
  if (output == NULL) return 0;
  if (output->pinned != NULL) add_part(parts, &count, bytes, pinned_rest(output, reader));
  if (buf_len(&output->direct) > 0) add_part(parts, &count, bytes, buf_slice(&output->direct));
  return count;
}

size_t output_consume(struct output *output, const struct hub_reader *reader, size_t put) {
  if (output == NULL) return put;
  if (output->pinned != NULL) {
    size_t rest = pinned_rest(output, reader).len;
    if (put < rest) {
      output->pinned_offset += (uint32_t)put;
      return 0;
    }
    put -= rest;
    message_unref(output->pinned);
    output->pinned = NULL;
  }
  size_t direct = buf_len(&output->direct);
  size_t step = put < direct ? put : direct;
  buf_consume(&output->direct, step);
  return put - step;
}

void output_pin(struct output *output, struct message *message, size_t offset) {
  output->pinned = message_ref(message);
  output->pinned_offset = (uint32_t)offset;
}
