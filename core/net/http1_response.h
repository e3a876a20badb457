// The response side of a call over HTTP/1.1: what its head must say of the body's
// end and of the connection, and what was written so far. Bytes go to a buffer;
// whose that is, and what follows the end, is http1_call.c's matter.
#ifndef TIDEGATE_NET_HTTP1_RESPONSE_H
#define TIDEGATE_NET_HTTP1_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/app.h"
#include "proto/http_parse.h"

// A body whose length is not known before its end.
enum { HTTP1_LENGTH_UNKNOWN = -1 };

struct http1_response {
  bool is_started : 1;  // head written
  bool is_ended : 1;    // complete
  bool is_chunked : 1;
  bool ends_by_close : 1;  // only the end of the connection tells the end of the body
  bool drops_body : 1;     // HEAD, 1xx, 204, 205, 304
  bool keeps_alive : 1;    // the connection, after this
};

// Appends the status line, the server's own fields and `fields`; the caller adds what
// is its own and ends the head. `date`: of the Date header. HTTP_SENT, HTTP_SEND_STARTED
// or HTTP_SEND_BAD_FIELD.
enum http_send_status http1_response_begin(struct http1_response *response, struct buf *out,
                                           const char *date, int status,
                                           const struct http_field *fields, size_t count);

// Appends what ends a head that http1_response_begin began: where the body ends, and
// what becomes of the connection. `length` of the body, or HTTP1_LENGTH_UNKNOWN.
void http1_response_end_head(struct http1_response *response, struct buf *out,
                             const struct http_request *request, int status,
                             const struct http_field *fields, size_t count, int64_t length);

// Appends a piece of the body, and its end.
void http1_response_write(const struct http1_response *response, struct buf *out,
                          struct slice data);
void http1_response_end(const struct http1_response *response, struct buf *out);

#endif
