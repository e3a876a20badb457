// WebSocket frames (RFC 6455 section 5.2): the header's bytes.
#ifndef TIDEGATE_PROTO_WS_FRAME_H
#define TIDEGATE_PROTO_WS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum ws_opcode {
  WS_CONTINUATION = 0,
  WS_TEXT = 1,
  WS_BINARY = 2,
  WS_CLOSE = 8,
  WS_PING = 9,
  WS_PONG = 10,
};

enum { WS_HEADER_MAX = 14, WS_CONTROL_MAX = 125 };

// Flags beside the opcode in a frame's first byte.
enum { WS_FIN = 0x80, WS_RSV1 = 0x40, WS_RSV2 = 0x20, WS_RSV3 = 0x10 };

#define WS_LENGTH_UNKNOWN UINT64_MAX

struct ws_frame {
  bool fin, rsv1, rsv2, rsv3, masked;
  uint8_t opcode;
  uint64_t length;
  uint8_t mask[4];
};

// Decodes a header from the start of `in`. Returns its size, 0 when more bytes
// are needed, -1 for a length over 2^63-1 or not in the shortest form. With 0
// and -1, what the bytes in hand tell is set all the same, so that a broken
// rule shows at once: flags and opcode from 1 byte on, masked from 2, length
// once it is complete and WS_LENGTH_UNKNOWN before.
int ws_frame_decode(struct slice in, struct ws_frame *frame);

// Writes a server's header, at most WS_HEADER_MAX bytes; returns its size.
// `first` is the opcode with flags.
size_t ws_header_write(char *out, unsigned first, uint64_t length);

// Appends an unmasked final frame, as a server sends it.
void ws_frame_write(struct buf *out, enum ws_opcode opcode, struct slice payload);

// Appends a close frame; code 0 sends an empty one. The reason, which is UTF-8,
// is cut at a character boundary to fit 125 bytes.
void ws_close_write(struct buf *out, int code, struct slice reason);

// XORs data with the mask, `offset` bytes into the payload (section 5.3).
void ws_unmask(char *data, size_t len, const uint8_t mask[4], size_t offset);

#endif
