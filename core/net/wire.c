// The table of wire forms: see wire.h.
#include "net/wire.h"

#include "net/worker.h"
#include "net/ws_shared.h"
#include "proto/sse.h"
#include "proto/ws_message.h"

static void encode_ws(const struct message *m, const char *epoch, void *tools, struct buf *out) {
  (void)epoch, (void)tools;
  ws_encode_message(m, NULL, out);
}

static void encode_envelope(const struct message *m, const char *epoch, void *tools,
                            struct buf *out) {
  (void)tools;
  ws_encode_envelope(m, epoch, NULL, out);
}

static void encode_ws_deflated(const struct message *m, const char *epoch, void *tools,
                               struct buf *out) {
  (void)epoch;
  ws_encode_message(m, ((struct worker *)tools)->ws_shared->deflater, out);
}

static void encode_envelope_deflated(const struct message *m, const char *epoch, void *tools,
                                     struct buf *out) {
  ws_encode_envelope(m, epoch, ((struct worker *)tools)->ws_shared->deflater, out);
}

static void encode_sse(const struct message *m, const char *epoch, void *tools, struct buf *out) {
  (void)tools;
  sse_encode_message(m, epoch, out);
}

message_encode_fn *const wire_encoders[WIRE_FORMS] = {
    [WIRE_WS] = encode_ws,
    [WIRE_WS_ENVELOPE] = encode_envelope,
    [WIRE_WS_DEFLATED] = encode_ws_deflated,
    [WIRE_WS_ENVELOPE_DEFLATED] = encode_envelope_deflated,
    [WIRE_SSE] = encode_sse,
};
