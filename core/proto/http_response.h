// The bytes of HTTP/1.1 response heads and chunks (RFC 9110, RFC 9112).
#ifndef TIDEGATE_PROTO_HTTP_RESPONSE_H
#define TIDEGATE_PROTO_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

// "Not Found" for 404; for an unknown status the text of its class ("Client Error").
const char *http_status_text(int status);

// True when a response with this status never has a body (1xx, 204, 205, 304).
bool http_status_is_bodiless(int status);

// True when name is a token (RFC 9110 5.6.2) / value holds no CR, LF, NUL or
// other control character but tab.
bool http_header_name_is_valid(struct slice name);
bool http_header_value_is_valid(struct slice value);

// True for the fields that the server writes itself: Content-Length,
// Transfer-Encoding, Connection, Date, Keep-Alive.
bool http_field_is_own(struct slice name);

// Appends "HTTP/1.1 404 Not Found\r\n".
void http_write_status(struct buf *out, int status);
// Appends "name: value\r\n"; both must be valid.
void http_write_header(struct buf *out, struct slice name, struct slice value);
void http_write_length(struct buf *out, uint64_t bytes);    // Content-Length
void http_write_end(struct buf *out);                       // the empty line
void http_write_chunk(struct buf *out, struct slice data);  // nothing for empty data
void http_write_last_chunk(struct buf *out);

// Appends the whole answer of a server that refuses a request and closes the
// connection: `reason` is one sentence, sent as plain text unless `omits_body` (to
// HEAD), or NULL: there is no content. A 503 asks to try again in a second. `date` is the
// value of the Date header.
void http_write_refusal(struct buf *out, int status, const char *date, const char *reason,
                        bool omits_body);

enum { HTTP_DATE_BYTES = 30 };
// IMF-fixdate (RFC 9110 5.6.7) of `seconds` since 1970 with a NUL.
void http_format_date(char out[HTTP_DATE_BYTES], int64_t seconds);

#endif
