// A request's head, and what it means: framing, host, target, connection options
// (RFC 9110, RFC 9112). http_parse fills it in once it is complete.
#ifndef TIDEGATE_PROTO_HTTP_REQUEST_H
#define TIDEGATE_PROTO_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http.h"

enum http_method {
  HTTP_METHOD_GET,
  HTTP_METHOD_HEAD,
  HTTP_METHOD_POST,
  HTTP_METHOD_PUT,
  HTTP_METHOD_PATCH,
  HTTP_METHOD_DELETE,
  HTTP_METHOD_OPTIONS,
  HTTP_METHOD_OTHER,
};

struct http_header {
  struct slice name;   // as sent; compare without case
  struct slice value;  // surrounding white space removed
};

// The head of a request. All slices live in the parser until the next
// http_parser_reset. A target "http://host/path" has replaced the value of Host
// by its own host, as RFC 9112 3.2.2 wants.
struct http_request {
  enum http_method method;
  struct slice method_name;  // "GET"
  struct slice target;       // as sent
  struct slice path;         // still percent-encoded, dot segments removed, starts with '/';
                             // "*" for OPTIONS *
  struct slice query;        // after '?', still encoded, may be empty
  const struct http_header *headers;
  size_t header_count;
  int minor_version;        // 0 or 1; a later one is read as 1
  bool keep_alive;          // what the client allows
  bool expects_continue;    // Expect: 100-continue, HTTP/1.1 and has_body only
  bool has_body;            // Content-Length > 0 or chunked
  int64_t content_length;   // -1: none given (no body, or chunked)
  bool upgrades_websocket;  // GET, HTTP/1.1, Connection: upgrade and Upgrade: websocket
};

// The value of the first header `name` (lower or mixed case), .ptr NULL when absent.
struct slice http_request_header(const struct http_request *request, const char *name);

// True when one of the comma-separated tokens of any header `name` is `token` (no case).
bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token);

// Takes a request whose method_name, target, minor_version and headers (the
// same array, writable, values trimmed) are set, and fills in the rest.
// `path_room` has room for target.len bytes and becomes the path. When the
// target names a host, that replaces the value of the Host header (RFC 9112
// 3.2.2). Status 0, or 400, 413, 417, 421 or 501.
struct http_failure http_request_complete(struct http_request *request, struct http_header *headers,
                                          uint64_t max_body_bytes, char *path_room);

#endif
