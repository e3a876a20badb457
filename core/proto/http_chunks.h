// The chunked transfer coding (RFC 9112 7.1), as strict as its grammar: what some
// parsers read one way and some another is how requests are smuggled (11.2). Sizes,
// extensions and trailers are all checked; extensions and trailers are then
// forgotten. The verdict depends on the bytes alone, never on how they arrive.
#ifndef TIDEGATE_PROTO_HTTP_CHUNKS_H
#define TIDEGATE_PROTO_HTTP_CHUNKS_H

#include <stdint.h>

#include "base/slice.h"
#include "proto/http.h"

struct http_chunks {
  uint8_t state;
  uint8_t digit_count;     // of the size so far
  uint32_t skipped_bytes;  // of extensions and trailers
  uint64_t left;           // of the chunk: its size so far, then its data still to come
  uint64_t body_bytes;     // announced by all sizes
};

void http_chunks_init(struct http_chunks *chunks);

// Consumes input up to the next event, as http_parser_feed does: HTTP_BODY and
// *body borrowed from `in`, HTTP_DONE, HTTP_MORE, or HTTP_FAILED and *failure (400,
// 413 beyond limits->body_bytes, 431 when extensions and trailers together are
// beyond limits->header_bytes).
enum http_event http_chunks_feed(struct http_chunks *chunks, const struct http_limits *limits,
                                 struct slice in, size_t *consumed, struct slice *body,
                                 struct http_failure *failure);

#endif
