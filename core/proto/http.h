// What the readers of HTTP/1.x requests share: the limits they keep, the events they give,
// and how they refuse.
#ifndef TIDEGATE_PROTO_HTTP_H
#define TIDEGATE_PROTO_HTTP_H

#include <stdint.h>

struct http_limits {
  uint32_t header_bytes;  // request line and header block together: 431 beyond
  uint32_t header_count;  // 431 beyond
  uint32_t url_bytes;     // 414 beyond
  uint64_t body_bytes;    // 413 beyond
};

enum http_event {
  HTTP_MORE,    // all input consumed, the request is not complete
  HTTP_HEAD,    // the head is complete
  HTTP_BODY,    // a piece of the body (chunked coding removed)
  HTTP_DONE,    // the request is complete; until http_parser_reset this comes again and
                // nothing is consumed
  HTTP_FAILED,  // refuse with `status` and close; further input is ignored
};

struct http_failure {
  int status;          // 400, 413, 414, 417, 421, 431, 501, 505; 0: nothing failed
  const char *reason;  // one short static sentence for the log and the body
};

#endif
