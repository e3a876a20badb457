// Sec-WebSocket-Extensions (RFC 6455 section 9.1): reading what a client offers,
// and the negotiation of permessage-deflate (RFC 7692 section 7.1).
#ifndef TIDEGATE_PROTO_WS_EXTENSIONS_H
#define TIDEGATE_PROTO_WS_EXTENSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/http_request.h"

// An offer of permessage-deflate, or, with all values known, what both sides
// have agreed on.
struct ws_deflate_terms {
  bool server_no_context;  // server_no_context_takeover, ...
  bool client_no_context;
  uint8_t server_bits;  // ..._max_window_bits, 8 to 15; 0: not named
  uint8_t client_bits;
};

enum ws_extensions {
  WS_EXTENSIONS_MALFORMED,  // the handshake has to fail (RFC 6455 section 9.1)
  WS_EXTENSIONS_NONE,       // nothing that we speak
  WS_EXTENSIONS_DEFLATE,    // *offer is the first offer of permessage-deflate that can be accepted
};

// Reads all headers Sec-WebSocket-Extensions of a request. An offer with a
// parameter that is unknown, repeated or has a value it may not have is declined
// (RFC 7692 section 7), which leaves the chance to the next.
enum ws_extensions ws_extensions_read(const struct http_request *request,
                                      struct ws_deflate_terms *offer);

// What the server answers to an offer that it accepts: no context takeover
// unless it keeps contexts, windows as small as the client asks for, and
// WS_WINDOW_BITS at most for a client that lets itself be told.
struct ws_deflate_terms ws_deflate_agree(const struct ws_deflate_terms *offer, bool keeps_context);

// Appends the value of the answer's Sec-WebSocket-Extensions.
void ws_deflate_write_terms(struct buf *out, const struct ws_deflate_terms *terms);

#endif
