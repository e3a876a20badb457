// HTTP/1.x requests: bytes in, events out. A thin strict layer over llhttp
// (RFC 9110, RFC 9112) that stores the head of one request, enforces limits and
// guards what llhttp 8.1.0 lets through. No sockets, no Lua.
#ifndef TIDEGATE_PROTO_HTTP_PARSE_H
#define TIDEGATE_PROTO_HTTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http.h"
#include "proto/http_request.h"

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
// Bytes of memory that the head takes, beyond what every parser keeps.
size_t http_parser_held(const struct http_parser *parser);

bool http_parser_is_idle(const struct http_parser *parser);

const struct http_request *http_parser_request(const struct http_parser *parser);
struct http_failure http_parser_failure(const struct http_parser *parser);

// The method of the request, also of one that failed or whose head is still
// coming; empty until the method is whole.
struct slice http_parser_method(const struct http_parser *parser);

#endif
