// Compression of WebSocket messages (RFC 7692 section 7.2) over zlib: payloads
// in, payloads out. Which of them are compressed is decided in ws_message
// and told by the peer's frames in ws_parse.
#ifndef TIDEGATE_PROTO_WS_DEFLATE_H
#define TIDEGATE_PROTO_WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

enum {
  WS_WINDOW_BITS_MIN = 8,  // what may be negotiated (section 7.1.2)
  WS_WINDOW_BITS_MAX = 15,
  // Of our own compressors, and asked of clients whose context is kept. 4 KiB:
  // most messages are shorter, longer ones lose about 5 %, zlib is quicker with
  // it, and it suits clients that ask for as little (some do by default).
  WS_WINDOW_BITS = 12,
  WS_DEFLATE_TAIL = 4,  // 00 00 FF FF, taken off a compressed payload's end (section 7.2.1)
};

// ---- sending -------------------------------------------------------------

struct ws_deflater;

// window_bits: 9 to 15; zlib writes no raw DEFLATE for 8. keeps_context: a
// message may refer to those before it. zlib's memory is taken on first use.
struct ws_deflater *ws_deflater_new(unsigned window_bits, bool keeps_context);
void ws_deflater_free(struct ws_deflater *deflater);  // NULL is ignored

// The next message refers to nothing before it.
void ws_deflater_forget(struct ws_deflater *deflater);

// Compresses a payload into out, which has payload.len + WS_DEFLATE_TAIL bytes.
// Returns the length, less than payload.len; or 0 when it would not get
// smaller: then it has to go as it is, and the deflater has forgotten.
size_t ws_deflate(struct ws_deflater *deflater, struct slice payload, char *out);

// ---- receiving -----------------------------------------------------------

struct ws_inflater;

enum ws_inflated {
  WS_INFLATED,
  WS_INFLATE_BROKEN,   // not DEFLATE, cut off, or it refers to what is not in the window
  WS_INFLATE_TOO_BIG,  // more than `limit` bytes came out; no more than one beyond is in `out`
};

// window_bits: 8 to 15, the peer's. zlib's memory is taken on first use. With
// fewer than 15 a reference beyond the window may pass: zlib allows it as long as
// what it refers to is in the output of the same call.
struct ws_inflater *ws_inflater_new(unsigned window_bits, bool keeps_context);
void ws_inflater_free(struct ws_inflater *inflater);  // NULL is ignored

// One message: begin, its payload in pieces, end. Each appends to `out` what has
// come out so far, also on failure; after one, begin is the only call allowed.
// Not more than limit + 1 bytes are ever appended to an empty `out`, and no
// call works on after the limit.
void ws_inflater_begin(struct ws_inflater *inflater);
enum ws_inflated ws_inflate(struct ws_inflater *inflater, struct slice piece, size_t limit,
                            struct buf *out);
enum ws_inflated ws_inflater_end(struct ws_inflater *inflater, size_t limit, struct buf *out);

// ---- memory --------------------------------------------------------------

// What one of them takes at most, about.
size_t ws_deflater_bytes(unsigned window_bits);
size_t ws_inflater_bytes(unsigned window_bits);

#endif
