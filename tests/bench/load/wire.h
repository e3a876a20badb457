// The client's side of the wire: bytes in, one message out. Pure.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WIRE_TEXT = 1, WIRE_BINARY = 2, WIRE_CLOSE = 8, WIRE_PING = 9, WIRE_PONG = 10 };

struct wire_message {
  const char *data;  // points into what was given; NULL: nothing for the client in it
  size_t len;
  int opcode;        // of a WebSocket frame
  bool is_deflated;  // RSV1 is set: compressed (RFC 7692 section 7.2.2)
};

// Each takes the next unit off the front of `data`: a WebSocket frame, one line
// of an event stream, a whole HTTP response. They return the bytes consumed, 0
// when it is not complete yet, -1 when it is nothing that this client reads.
// Lines of an event stream that are no data (ids, comments, chunk sizes) are
// units without a message.
typedef ssize_t wire_reader(const char *data, size_t len, struct wire_message *message);
wire_reader wire_read_ws, wire_read_sse, wire_read_http;

// Reads the head of a response: bytes consumed, 0 when incomplete, -1 unless
// the status is `status`.
ssize_t wire_read_head(const char *data, size_t len, int status);

// Whether a head agrees to WIRE_DEFLATE_OFFER: who accepts it says that no context
// is kept (RFC 7692 section 7.1.1.1).
#define WIRE_DEFLATE_OFFER "permessage-deflate; server_no_context_takeover"
bool wire_agrees_deflate(const char *head, size_t len);

// Writes a masked frame; returns its size, at most len + WIRE_FRAME_HEAD.
enum { WIRE_FRAME_HEAD = 14 };
size_t wire_write_ws(char *out, int opcode, const char *payload, size_t len);

#endif
