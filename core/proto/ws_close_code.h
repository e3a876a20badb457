// Close codes of WebSocket (RFC 6455 section 7.4 and IANA's registry): their names in
// code, and a table of who may send which.
#ifndef TIDEGATE_PROTO_WS_CLOSE_CODE_H
#define TIDEGATE_PROTO_WS_CLOSE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_close_code {
  WS_CLOSE_NORMAL = 1000,
  WS_CLOSE_GOING_AWAY = 1001,
  WS_CLOSE_PROTOCOL = 1002,  // a peer broke a rule of the protocol
  WS_CLOSE_UNSUPPORTED = 1003,
  WS_CLOSE_NO_STATUS = 1005,  // a close frame had no code
  WS_CLOSE_ABNORMAL = 1006,   // there was no close frame
  WS_CLOSE_BAD_DATA = 1007,   // text that is not UTF-8, or compressed data that is broken
  WS_CLOSE_POLICY = 1008,
  WS_CLOSE_TOO_BIG = 1009,
  WS_CLOSE_EXTENSION = 1010,  // a client misses an extension
  WS_CLOSE_ERROR = 1011,
  WS_CLOSE_RESTART = 1012,
  WS_CLOSE_TRY_AGAIN = 1013,
  WS_CLOSE_BAD_GATEWAY = 1014,
  WS_CLOSE_TLS = 1015,  // the TLS handshake failed
};

struct ws_close_code_row {
  uint16_t first, last;  // the codes that the row is about
  const char *name;
  bool is_on_wire;     // may be in a close frame; others say what never was in one
  bool is_of_servers;  // a server may send it
};

// By code. A code without a row is not to be used.
extern const struct ws_close_code_row ws_close_code_rows[];
extern const size_t ws_close_code_row_count;

// The row of a code; NULL: there is none.
const struct ws_close_code_row *ws_close_code_find(int64_t code);

// Whether a close frame may carry the code.
bool ws_close_code_is_valid(int64_t code);

// Whether a server may send the code in a close frame.
bool ws_close_code_may_be_sent(int64_t code);

#endif
