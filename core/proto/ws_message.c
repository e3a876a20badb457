// WebSocket messages: see ws_message.h.
#include "proto/ws_message.h"

#include <string.h>

#include "base/json.h"

// False, and out unchanged, when the message had better go as it is. (Not
// inlined, so that messages without a deflater pay nothing for it.)
__attribute__((noinline)) static bool write_deflated(struct buf *out, enum ws_opcode opcode,
                                                     struct slice payload,
                                                     struct ws_deflater *deflater) {
  if (payload.len < WS_DEFLATE_MIN) return false;
  char *p = buf_reserve(out, WS_HEADER_MAX + payload.len + WS_DEFLATE_TAIL);
  size_t len = ws_deflate(deflater, payload, p + WS_HEADER_MAX);
  if (len == 0) return false;
  size_t size = ws_header_write(p, WS_FIN | WS_RSV1 | opcode, len);
  memmove(p + size, p + WS_HEADER_MAX, len);
  buf_grew(out, size + len);
  return true;
}

void ws_message_write(struct buf *out, enum ws_opcode opcode, struct slice payload,
                      struct ws_deflater *deflater) {
  if (deflater == NULL || !write_deflated(out, opcode, payload, deflater))
    ws_frame_write(out, opcode, payload);
}

void ws_encode_message(const struct message *m, struct ws_deflater *deflater, struct buf *out) {
  enum ws_opcode opcode = m->kind == MESSAGE_TEXT ? WS_TEXT : WS_BINARY;
  ws_message_write(out, opcode, message_payload(m), deflater);
}

static void append_field(struct buf *out, const char *name, struct slice value) {
  if (value.len == 0) return;
  buf_append_str(out, name);
  json_append_string(out, value);
}

void ws_encode_envelope(const struct message *m, const char *epoch, struct ws_deflater *deflater,
                        struct buf *out) {
  if (m->kind != MESSAGE_TEXT) return;
  struct buf text = {0};
  buf_append_str(&text, "{\"id\":\"");
  buf_append_str(&text, epoch);
  buf_append_char(&text, '-');
  buf_append_decimal(&text, m->seq);
  buf_append_char(&text, '"');
  append_field(&text, ",\"topic\":", message_topic(m));
  append_field(&text, ",\"event\":", message_event(m));
  append_field(&text, ",\"key\":", message_key(m));
  buf_append_str(&text, ",\"data\":");
  if (m->is_json)
    buf_append_slice(&text, message_payload(m));
  else
    json_append_string(&text, message_payload(m));
  buf_append_char(&text, '}');
  ws_message_write(out, WS_TEXT, buf_slice(&text), deflater);
  buf_free(&text);
}
