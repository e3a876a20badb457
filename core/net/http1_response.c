// Responses of HTTP/1.1: see http1_response.h.
#include "net/http1_response.h"

#include "proto/http_response.h"

static bool fields_are_valid(const struct http_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!http_header_name_is_valid(fields[i].name) ||
        !http_header_value_is_valid(fields[i].value) || http_field_is_own(fields[i].name)) {
      return false;
    }
  }
  return true;
}

enum http_send_status http1_response_begin(struct http1_response *response, struct buf *out,
                                           const char *date, int status,
                                           const struct http_field *fields, size_t count) {
  if (response->is_started) return HTTP_SEND_STARTED;
  if (!fields_are_valid(fields, count)) return HTTP_SEND_BAD_FIELD;
  http_write_status(out, status);
  http_write_header(out, slice_str("Date"), slice_str(date));
  for (size_t i = 0; i < count; i++) http_write_header(out, fields[i].name, fields[i].value);
  response->is_started = true;
  return HTTP_SENT;
}

// Whoever sends Upgrade names it in Connection, too (RFC 9110 7.8).
static bool names_upgrade(const struct http_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (slice_equal_nocase(fields[i].name, slice_str("upgrade"))) return true;
  }
  return false;
}

static void write_connection(const struct http1_response *response, struct buf *out,
                             const struct http_request *request, const struct http_field *fields,
                             size_t count) {
  if (names_upgrade(fields, count))
    http_write_header(out, slice_str("Connection"), slice_str("Upgrade"));
  if (!response->keeps_alive)
    http_write_header(out, slice_str("Connection"), slice_str("close"));
  else if (request->minor_version == 0) {
    http_write_header(out, slice_str("Connection"), slice_str("keep-alive"));
  }
}

// Tells where the body ends (RFC 9112 6.3). Of the statuses without one, 1xx and
// 204 must not tell a length (RFC 9110 8.6), a 304 need not, and a 205 has to say
// that nothing follows (15.3.6).
static void write_framing(struct http1_response *response, struct buf *out,
                          const struct http_request *request, int status, int64_t length) {
  enum { RESET_CONTENT = 205 };
  bool is_bodiless = http_status_is_bodiless(status);
  response->drops_body = is_bodiless || request->method == HTTP_METHOD_HEAD;
  if (status == RESET_CONTENT)
    length = 0;
  else if (is_bodiless)
    return;
  if (length != HTTP1_LENGTH_UNKNOWN) {
    http_write_length(out, (uint64_t)length);
    return;
  }
  response->is_chunked = request->minor_version > 0;
  if (response->is_chunked)
    http_write_header(out, slice_str("Transfer-Encoding"), slice_str("chunked"));
  else
    response->keeps_alive = false;
  response->ends_by_close = !response->is_chunked && !response->drops_body;
}

void http1_response_end_head(struct http1_response *response, struct buf *out,
                             const struct http_request *request, int status,
                             const struct http_field *fields, size_t count, int64_t length) {
  write_framing(response, out, request, status, length);
  write_connection(response, out, request, fields, count);
  http_write_end(out);
}

void http1_response_write(const struct http1_response *response, struct buf *out,
                          struct slice data) {
  if (response->is_chunked)
    http_write_chunk(out, data);
  else
    buf_append_slice(out, data);
}

void http1_response_end(const struct http1_response *response, struct buf *out) {
  if (response->is_chunked && !response->drops_body) http_write_last_chunk(out);
}
