// The receiving side of one WebSocket life (RFC 6455 sections 5 to 8): bytes
// in, events out. Unmasks in place, puts fragments together, checks UTF-8 as it
// arrives and fails at the first byte that breaks a rule. An idle parser
// owns no buffers.
#ifndef TIDEGATE_PROTO_WS_PARSE_H
#define TIDEGATE_PROTO_WS_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "base/slice.h"
#include "base/utf8.h"
#include "proto/ws_frame.h"

enum ws_event {
  WS_EVENT_MORE,     // all input consumed, nothing to tell
  WS_EVENT_MESSAGE,  // a whole message: kind, data
  WS_EVENT_PING,     // data
  WS_EVENT_PONG,     // data
  WS_EVENT_CLOSE,    // the peer's close frame: code (1005 when it had none), data is the reason
  WS_EVENT_FAILED,   // protocol violation: code (1002, 1007, 1009), reason; 1007 also for
                     // compressed data that is broken
};

struct ws_result {
  enum message_kind kind;
  struct slice data;  // in the input or in the parser; valid until the next feed
  int code;
  const char *reason;  // static text, for WS_EVENT_FAILED
};

struct ws_assembly;  // what is kept while a frame or message is incomplete
struct ws_inflater;

// Embedded in a session; at most 32 bytes when idle.
struct ws_parser {
  struct ws_assembly *assembly;  // NULL between messages
  uint32_t max_message;          // bytes: 1009 beyond
  bool is_finished;              // after CLOSE or FAILED: input is ignored
  // permessage-deflate: bits of the window that the peer has for what we send;
  // 0: it was not agreed on, and no message may come compressed.
  uint8_t peer_window_bits;
};

void ws_parser_init(struct ws_parser *parser, uint32_t max_message);
void ws_parser_free(struct ws_parser *parser);

// Whether a message has begun and is not complete, and the memory held for it.
bool ws_parser_in_message(const struct ws_parser *parser);
size_t ws_parser_held(const struct ws_parser *parser);

// Consumes input up to the next event; *consumed tells how much. `data` is
// changed in place (unmasking). Whole unfragmented messages are not copied.
// Feed on with the rest until WS_EVENT_MORE, even when nothing is left (len 0):
// that call releases the buffer of a message which did not come in one piece.
//
// *spare is an inflater, or NULL: a compressed message takes it (or makes one
// without context) when it begins, and puts it back, or frees it when there is
// another by then, in the feed after its end. The spare of a parser whose peer
// keeps its context is its own, all others may share one.
enum ws_event ws_parser_feed(struct ws_parser *parser, struct ws_inflater **spare, char *data,
                             size_t len, size_t *consumed, struct ws_result *result);

#endif
