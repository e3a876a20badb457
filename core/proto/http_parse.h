// HTTP/1.x requests: bytes in, events out. A thin strict layer over llhttp
// (RFC 9110, RFC 9112) that stores the head of one request, enforces limits and
// guards what llhttp 8.1.0 lets through. No sockets, no Lua.
#ifndef TIDEGATE_PROTO_HTTP_PARSE_H
#define TIDEGATE_PROTO_HTTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct http_limits {
  uint32_t header_bytes;  // request line and header block together: 431 beyond
  uint32_t header_count;  // 431 beyond
  uint32_t url_bytes;     // 414 beyond
  uint64_t body_bytes;    // 413 beyond
};

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

struct http_parser;

// `limits` is borrowed and outlives the parser.
struct http_parser *http_parser_new(const struct http_limits *limits);
void http_parser_free(struct http_parser *parser);

// Makes ready for the next request on the connection; releases large buffers.
void http_parser_reset(struct http_parser *parser);

// Consumes input up to the next event; *consumed tells how much. After
// HTTP_HEAD and HTTP_BODY the caller feeds on with the rest even when that is
// empty, because HTTP_DONE needs no more bytes then; after HTTP_MORE with new input.
//  HTTP_BODY: *body borrows from `in` and is not empty.
//  HTTP_FAILED: see http_parser_failure. A request with an error in its head
//  fails without HTTP_HEAD; a body can still fail after it (400, 413, 431).
// Trailers and chunk extensions are skipped; together at most header_bytes.
// After the HTTP_DONE of an upgrade request, the bytes not consumed belong to
// the new protocol.
enum http_event http_parser_feed(struct http_parser *parser, struct slice in, size_t *consumed,
                                 struct slice *body);

// The peer ended its side. True when that is fine here (between requests): not
// one byte of a request seen, save empty lines in front of it.
bool http_parser_is_idle(const struct http_parser *parser);

const struct http_request *http_parser_request(const struct http_parser *parser);
struct http_failure http_parser_failure(const struct http_parser *parser);

// The method of the request, also of one that failed or whose head is still
// coming; empty until the method is whole.
struct slice http_parser_method(const struct http_parser *parser);

// The value of the first header `name` (lower or mixed case), .ptr NULL when absent.
struct slice http_request_header(const struct http_request *request, const char *name);

// True when one of the comma-separated tokens of any header `name` is `token` (no case).
bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token);

#endif
