// WebSocket frames: see ws_frame.h.
#include "proto/ws_frame.h"

#include <string.h>

enum { OPCODE = 0x0F, MASKED = 0x80, LENGTH = 0x7F };

// The length's escape values, and how many bytes follow each.
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

// Reads the length behind the two first bytes. False when it could have been
// written shorter or sets the highest bit.
static bool read_length(const uint8_t *p, size_t bytes, uint64_t *length) {
  *length = 0;
  for (size_t i = 0; i < bytes; i++) *length = *length << 8 | p[i];
  if (bytes == 2) return *length >= LENGTH_16;
  return *length > UINT16_MAX && *length >> 63 == 0;
}

int ws_frame_decode(struct slice in, struct ws_frame *frame) {
  const uint8_t *p = (const uint8_t *)in.ptr;
  *frame = (struct ws_frame){.length = WS_LENGTH_UNKNOWN};
  if (in.len < 1) return 0;
  frame->fin = p[0] & WS_FIN;
  frame->rsv1 = p[0] & WS_RSV1;
  frame->rsv2 = p[0] & WS_RSV2;
  frame->rsv3 = p[0] & WS_RSV3;
  frame->opcode = p[0] & OPCODE;
  if (in.len < 2) return 0;
  frame->masked = p[1] & MASKED;
  uint64_t length = p[1] & LENGTH;
  size_t length_bytes = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
  size_t size = 2 + length_bytes;
  if (in.len < size) return 0;
  if (length_bytes > 0 && !read_length(p + 2, length_bytes, &length)) return -1;
  frame->length = length;
  if (!frame->masked) return (int)size;
  if (in.len < size + 4) return 0;
  memcpy(frame->mask, p + size, 4);
  return (int)size + 4;
}

size_t ws_header_write(char *out, unsigned first, uint64_t length) {
  uint8_t *p = (uint8_t *)out;
  size_t length_bytes = length < LENGTH_16 ? 0 : length <= UINT16_MAX ? 2 : 8;
  p[0] = (uint8_t)first;
  p[1] = (uint8_t)(length_bytes == 0 ? length : length_bytes == 2 ? LENGTH_16 : LENGTH_64);
  for (size_t i = 0; i < length_bytes; i++) {
    p[2 + i] = (uint8_t)(length >> 8 * (length_bytes - 1 - i));
  }
  return 2 + length_bytes;
}

void ws_frame_write(struct buf *out, enum ws_opcode opcode, struct slice payload) {
  char *p = buf_reserve(out, WS_HEADER_MAX + payload.len);
  size_t size = ws_header_write(p, WS_FIN | opcode, payload.len);
  if (payload.len > 0) memcpy(p + size, payload.ptr, payload.len);
  buf_grew(out, size + payload.len);
}

// The longest front of `text` that fits and does not end inside a character.
static size_t fitting_length(struct slice text, size_t bytes) {
  if (text.len <= bytes) return text.len;
  while (bytes > 0 && (text.ptr[bytes] & 0xC0) == 0x80) bytes--;
  return bytes;
}

void ws_close_write(struct buf *out, int code, struct slice reason) {
  if (code == 0) {
    ws_frame_write(out, WS_CLOSE, (struct slice){0});
    return;
  }
  char payload[WS_CONTROL_MAX];
  size_t len = fitting_length(reason, sizeof payload - 2);
  payload[0] = (char)(code >> 8);
  payload[1] = (char)code;
  if (len > 0) memcpy(payload + 2, reason.ptr, len);
  ws_frame_write(out, WS_CLOSE, slice_of(payload, len + 2));
}

void ws_unmask(char *data, size_t len, const uint8_t mask[4], size_t offset) {
  uint8_t turned[8];
  for (size_t i = 0; i < 4; i++) turned[i] = mask[(offset + i) & 3];
  memcpy(turned + 4, turned, 4);
  uint64_t key, word;
  memcpy(&key, turned, 8);
  size_t i = 0;
  // memcpy is how C spells a load and a store at any alignment.
  for (; len - i >= 8; i += 8) {
    memcpy(&word, data + i, 8);
    word ^= key;
    memcpy(data + i, &word, 8);
  }
  if (len - i >= 4) {
    uint32_t half, half_key;
    memcpy(&half_key, turned, 4);
    memcpy(&half, data + i, 4);
    half ^= half_key;
    memcpy(data + i, &half, 4);
    i += 4;
  }
  for (; i < len; i++) data[i] = (char)(data[i] ^ turned[i & 7]);
}
