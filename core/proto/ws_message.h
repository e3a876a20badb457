// WebSocket messages as a server sends them: one frame each, compressed where
// permessage-deflate was agreed on (RFC 7692).
#ifndef TIDEGATE_PROTO_WS_MESSAGE_H
#define TIDEGATE_PROTO_WS_MESSAGE_H

#include "base/buf.h"
#include "base/message.h"
#include "proto/ws_deflate.h"
#include "proto/ws_frame.h"

// Below this many bytes of payload compressing is not worth its time.
enum { WS_DEFLATE_MIN = 64 };

// Appends a message as one frame. With a deflater (NULL: none) it is compressed,
// unless it is shorter than WS_DEFLATE_MIN or would not get smaller.
void ws_message_write(struct buf *out, enum ws_opcode opcode, struct slice payload,
                      struct ws_deflater *deflater);

// The wire form of a message for WebSocket subscribers: one text or binary frame.
void ws_encode_message(const struct message *m, struct ws_deflater *deflater, struct buf *out);

// The wire form for subscribers that want to know more than the payload: a text
// frame with {"id", "topic", "event", "key", "data"}, where event and key stand
// only when the message has them, and data is the JSON that was published, or
// the text as a string. Nothing for binary messages.
void ws_encode_envelope(const struct message *m, const char *epoch, struct ws_deflater *deflater,
                        struct buf *out);

#endif
