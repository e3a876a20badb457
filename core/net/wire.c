// The table of wire forms: see wire.h.
#include "net/wire.h"

#include "proto/sse.h"
#include "proto/ws_frame.h"

message_encode_fn *const wire_encoders[WIRE_FORMS] = {
    [WIRE_WS] = ws_encode_message,
    [WIRE_WS_ENVELOPE] = ws_encode_envelope,
    [WIRE_SSE] = sse_encode_message,
};
