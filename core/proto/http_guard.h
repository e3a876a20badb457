// The strict guard in front of llhttp: walks the raw bytes of a head and of the
// chunked coding's framing, and refuses what some parsers read one way and some
// another, because that is what request smuggling is made of (RFC 9112 11.2):
// bare CR or LF, folded lines, space before a colon, control characters, loose
// chunk lines. It also keeps the limits of the head. It stores nothing but its
// state, and its verdict depends on the bytes alone, never on how they arrive.
#ifndef TIDEGATE_PROTO_HTTP_GUARD_H
#define TIDEGATE_PROTO_HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http_parse.h"

struct http_guard {
  uint8_t state;
  uint8_t blank_count;  // empty lines before the request line
  uint8_t matched;      // characters of the version; digits of a chunk size
  bool is_last_chunk;   // its size is zero so far
  uint32_t bytes;       // of the head; then of chunk extensions and trailers
  uint32_t run;         // of the method, target or name so far
  uint32_t target_bytes;
  uint32_t header_count;
};

void http_guard_init(struct http_guard *guard);

// Walks on through a head. *used is how many bytes of `in` belong to it. The
// failure's status is 0 when they are good; 400, 414, 431, 501 or 505 if not.
struct http_failure http_guard_head(struct http_guard *guard, const struct http_limits *limits,
                                    struct slice in, size_t *used);

bool http_guard_head_is_complete(const struct http_guard *guard);
bool http_guard_is_idle(const struct http_guard *guard);  // nothing but empty lines seen

// The framing of a chunked body: everything between the chunks' data. Begin it
// once after the head, then give it all framing bytes, and say when data stood
// between them. Extensions and trailers together may have limits->header_bytes.
// Status 0, or 400 or 431.
void http_guard_begin_chunks(struct http_guard *guard);
struct http_failure http_guard_framing(struct http_guard *guard, const struct http_limits *limits,
                                       struct slice in);
struct http_failure http_guard_data(struct http_guard *guard);
bool http_guard_chunks_are_complete(const struct http_guard *guard);

#endif
