// The guard's second half: walks the framing of a chunked body, everything between
// the chunks' data, and refuses what RFC 9112 7.1 has no grammar for: loose sizes,
// bare CR or LF, extensions that are none, folded trailers.
#ifndef TIDEGATE_PROTO_HTTP_CHUNKS_H
#define TIDEGATE_PROTO_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http_parse.h"

struct http_chunks {
  uint8_t state;
  uint8_t digit_count;  // of the size so far
  bool is_last;         // the size is zero so far
  uint32_t bytes;       // of extensions and trailers
};

void http_chunks_init(struct http_chunks *chunks);

// Takes all framing bytes in order; say when data stood between them. Extensions
// and trailers together may have limits->header_bytes. Status 0, or 400 or 431.
struct http_failure http_chunks_framing(struct http_chunks *chunks,
                                        const struct http_limits *limits, struct slice in);
struct http_failure http_chunks_data(struct http_chunks *chunks);
bool http_chunks_are_complete(const struct http_chunks *chunks);

#endif
