// The opening handshake, server side (RFC 6455 section 4.2).
#ifndef TIDEGATE_PROTO_WS_HANDSHAKE_H
#define TIDEGATE_PROTO_WS_HANDSHAKE_H

#include <stdbool.h>

#include "base/slice.h"
#include "proto/http_request.h"
#include "proto/ws_extensions.h"

enum { WS_ACCEPT_BYTES = 28 };

struct ws_handshake {
  int status;          // 101 when acceptable, else 400 or 426; 500 without SHA-1 in OpenSSL
  const char *reason;  // static text for the refusal
  char accept[WS_ACCEPT_BYTES + 1];  // Sec-WebSocket-Accept
  bool offers_deflate;               // the client offers permessage-deflate ...
  struct ws_deflate_terms offer;     // ... on these terms
};

// Checks a request: GET, HTTP/1.1, an upgrade to WebSocket asked for, version 13
// (otherwise 426, to be sent with "Upgrade: websocket" and "Sec-WebSocket-Version: 13"),
// one key of 16 bytes in base64, no body, and that the subprotocols and
// extensions it offers are lists as section 4.3 writes them.
struct ws_handshake ws_handshake_check(const struct http_request *request);

#endif
