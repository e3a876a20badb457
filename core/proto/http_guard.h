// The strict guard in front of llhttp: walks the raw bytes of a head and refuses
// what some parsers read one way and some another, because that is what request
// smuggling is made of (RFC 9112 11.2): bare CR or LF, folded lines, space before
// a colon, control characters. It also keeps the limits of the head. It stores
// nothing but its state, and its verdict depends on the bytes alone, never on how
// they arrive.
#ifndef TIDEGATE_PROTO_HTTP_GUARD_H
#define TIDEGATE_PROTO_HTTP_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http.h"

struct http_guard {
  uint8_t state;
  uint8_t blank_count;  // empty lines before the request line
  uint8_t matched;      // characters of the version
  uint8_t major_version;
  uint8_t minor_version;
  uint32_t bytes;  // so far
  uint32_t run;    // of the method, target or name so far
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

#endif
