// WebSocket frames: decoding at every cut, writing and decoding again, masking
// at any offset, and close frames of any code and reason.
#include "proto/ws_frame.h"

#include "base/utf8.h"
#include "fuzz.h"

// What is known of a header grows with its bytes and never changes.
static void check_prefixes(struct slice in) {
  struct ws_frame whole, part;
  int size = ws_frame_decode(in, &whole);
  assert_true(size >= -1 && size <= WS_HEADER_MAX);
  for (size_t n = 1; n < in.len && n < WS_HEADER_MAX; n++) {
    int got = ws_frame_decode(slice_of(in.ptr, n), &part);
    bool is_enough = size > 0 && n >= (size_t)size;
    assert_true(got == (is_enough ? size : 0) || (got == -1 && size == -1));
    assert_true(part.fin == whole.fin && part.rsv1 == whole.rsv1 && part.rsv2 == whole.rsv2 &&
                part.rsv3 == whole.rsv3 && part.opcode == whole.opcode);
    if (n >= 2) assert_int_equal(part.masked, whole.masked);
    if (n >= 2 && part.length != WS_LENGTH_UNKNOWN) assert_true(part.length == whole.length);
  }
}

static void check_written(enum ws_opcode opcode, struct slice payload) {
  struct buf out = {0};
  struct ws_frame frame;
  ws_frame_write(&out, opcode, payload);
  int size = ws_frame_decode(buf_slice(&out), &frame);
  assert_int_equal((size_t)size + payload.len, buf_len(&out));
  assert_true(frame.fin && !frame.masked && !frame.rsv1 && !frame.rsv2 && !frame.rsv3);
  assert_true(frame.opcode == opcode && frame.length == payload.len);
  fuzz_expect_slice(slice_of(out.data + size, payload.len), payload, "payload");
  buf_free(&out);
}

// The reason is cut to fit, never within a character.
static void check_close(int code, struct slice reason) {
  if (!utf8_is_valid(reason)) return;
  struct buf out = {0};
  struct ws_frame frame;
  ws_close_write(&out, code, reason);
  int size = ws_frame_decode(buf_slice(&out), &frame);
  assert_true(size == 2 && frame.opcode == WS_CLOSE && frame.length <= WS_CONTROL_MAX);
  assert_int_equal(buf_len(&out), 2 + frame.length);
  if (code != 0) {
    struct slice kept = slice_of(out.data + 4, frame.length - 2);
    fuzz_expect_slice(kept, slice_of(reason.ptr, kept.len), "reason");
    assert_true(utf8_is_valid(kept));
    assert_true(kept.len == reason.len || kept.len >= WS_CONTROL_MAX - 2 - 3);
  } else {
    assert_int_equal(frame.length, 0);
  }
  buf_free(&out);
}

static void check_unmask(struct slice payload, const uint8_t mask[4], size_t offset) {
  struct buf got = {0};
  buf_append_slice(&got, payload);
  ws_unmask(got.data, payload.len, mask, offset);
  for (size_t i = 0; i < payload.len; i++) {
    assert_int_equal((uint8_t)got.data[i], (uint8_t)payload.ptr[i] ^ mask[(offset + i) % 4]);
  }
  buf_free(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  if (size > 0) check_prefixes(in);
  uint8_t mask[4], first = fuzz_take_byte(&in), second = fuzz_take_byte(&in);
  for (size_t i = 0; i < sizeof mask; i++) mask[i] = fuzz_take_byte(&in);
  check_written(first % 2 ? WS_TEXT : WS_BINARY, in);
  check_close(first % 8 == 0 ? 0 : 1000 + second, in);
  check_unmask(in, mask, second);
  return 0;
}
