// What the head of a request means: framing, host, target, connection options
// (RFC 9110, RFC 9112). Used by http_parse once a head is complete.
#ifndef TIDEGATE_PROTO_HTTP_REQUEST_H
#define TIDEGATE_PROTO_HTTP_REQUEST_H

#include "proto/http_parse.h"

// Takes a request whose method_name, target, minor_version and headers (the
// same array, writable, values trimmed) are set, and fills in the rest.
// `path_room` has room for target.len bytes and becomes the path. When the
// target names a host, that replaces the value of the Host header (RFC 9112
// 3.2.2). Status 0, or 400, 413, 417, 421 or 501.
struct http_failure http_request_complete(struct http_request *request, struct http_header *headers,
                                          uint64_t max_body_bytes, char *path_room);

#endif
