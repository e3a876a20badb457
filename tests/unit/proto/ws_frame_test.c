// Tests of the WebSocket frame header, masking and close frames.
#include "proto/ws_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t mask[4] = {0xA1, 0x02, 0xF3, 0x44};

// Headers of a final text frame, without the mask, and the length they tell.
static const struct {
  uint64_t length;
  const char *bytes;
  size_t size;
} headers[] = {
    {0, "\x81\x00", 2},
    {1, "\x81\x01", 2},
    {125, "\x81\x7D", 2},
    {126, "\x81\x7E\x00\x7E", 4},
    {127, "\x81\x7E\x00\x7F", 4},
    {65535, "\x81\x7E\xFF\xFF", 4},
    {65536, "\x81\x7F\0\0\0\0\0\x01\0\0", 10},
    {65537, "\x81\x7F\0\0\0\0\0\x01\0\x01", 10},
    {0x7FFFFFFFFFFFFFFF, "\x81\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10},
};
enum { HEADERS = sizeof headers / sizeof *headers };

static void decodes_every_length(void **state) {
  (void)state;
  for (size_t i = 0; i < HEADERS; i++) {
    for (int masked = 0; masked < 2; masked++) {
      char head[WS_HEADER_MAX];
      size_t size = headers[i].size;
      memcpy(head, headers[i].bytes, size);
      if (masked) {
        head[1] = (char)(head[1] | 0x80);
        memcpy(head + size, mask, 4);
        size += 4;
      }
      struct ws_frame frame;
      for (size_t n = 0; n < size; n++) {
        assert_int_equal(ws_frame_decode(slice_of(head, n), &frame), 0);
        assert_int_equal(frame.fin, n >= 1);
        assert_int_equal(frame.opcode, n >= 1 ? WS_TEXT : 0);
        assert_int_equal(frame.masked, n >= 2 && masked);
        uint64_t known = n >= headers[i].size ? headers[i].length : WS_LENGTH_UNKNOWN;
        assert_true(frame.length == known);
      }
      assert_int_equal(ws_frame_decode(slice_of(head, size), &frame), (int)size);
      assert_true(frame.length == headers[i].length);
      assert_int_equal(frame.masked, masked);
      if (masked) assert_memory_equal(frame.mask, mask, 4);
    }
  }
}

static void decodes_flags_and_opcode(void **state) {
  (void)state;
  for (int first = 0; first < 256; first++) {
    char head[2] = {(char)first, 0};
    struct ws_frame frame;
    assert_int_equal(ws_frame_decode(slice_of(head, 2), &frame), 2);
    assert_int_equal(frame.fin, first >> 7);
    assert_int_equal(frame.rsv1, first >> 6 & 1);
    assert_int_equal(frame.rsv2, first >> 5 & 1);
    assert_int_equal(frame.rsv3, first >> 4 & 1);
    assert_int_equal(frame.opcode, first & 15);
  }
}

static void refuses_malformed_lengths(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } rows[] = {
      {"\x81\x7E\x00\x00", 4},
      {"\x81\x7E\x00\x7D", 4},
      {"\x81\xFE\x00\x7D", 4},  // masked: told before the mask has come
      {"\x81\x7F\0\0\0\0\0\0\0\0", 10},
      {"\x81\x7F\0\0\0\0\0\0\0\x7D", 10},
      {"\x81\x7F\0\0\0\0\0\0\xFF\xFF", 10},
      {"\x81\x7F\x80\0\0\0\0\0\0\0", 10},
      {"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct ws_frame frame;
    assert_int_equal(ws_frame_decode(slice_of(rows[i].bytes, rows[i].size - 1), &frame), 0);
    assert_int_equal(ws_frame_decode(slice_of(rows[i].bytes, rows[i].size), &frame), -1);
    assert_int_equal(frame.opcode, WS_TEXT);
    assert_true(frame.length == WS_LENGTH_UNKNOWN);
  }
}

static void writes_the_shortest_header(void **state) {
  (void)state;
  for (size_t i = 0; i + 1 < HEADERS; i++) {
    size_t length = (size_t)headers[i].length;
    char *payload = malloc(length + 1);
    for (size_t k = 0; k < length; k++) payload[k] = (char)(k * 7);
    struct buf out = {0};
    buf_append_str(&out, "before");
    ws_frame_write(&out, WS_TEXT, slice_of(payload, length));
    buf_consume(&out, 6);
    assert_int_equal(buf_len(&out), headers[i].size + length);
    assert_memory_equal(buf_slice(&out).ptr, headers[i].bytes, headers[i].size);
    assert_memory_equal(buf_slice(&out).ptr + headers[i].size, payload, length);
    buf_free(&out);
    free(payload);
  }
}

static void writes_every_opcode(void **state) {
  (void)state;
  static const uint8_t opcodes[] = {WS_TEXT, WS_BINARY, WS_CLOSE, WS_PING, WS_PONG};
  for (size_t i = 0; i < sizeof opcodes; i++) {
    struct buf out = {0};
    ws_frame_write(&out, opcodes[i], (struct slice){0});
    assert_int_equal(buf_len(&out), 2);
    assert_int_equal((uint8_t)out.data[0], 0x80 | opcodes[i]);
    assert_int_equal(out.data[1], 0);
    buf_free(&out);
  }
}

static void expect_close(int code, const char *reason, const char *payload, size_t len) {
  struct buf out = {0};
  ws_close_write(&out, code, slice_str(reason));
  assert_int_equal(buf_len(&out), len + 2);
  assert_int_equal((uint8_t)out.data[0], 0x88);
  assert_int_equal((uint8_t)out.data[1], len);
  if (len > 0) assert_memory_equal(out.data + 2, payload, len);
  buf_free(&out);
}

static void writes_close_frames(void **state) {
  (void)state;
  expect_close(0, "not sent", "", 0);
  expect_close(1000, NULL, "\x03\xE8", 2);
  expect_close(1001, "bye",
               "\x03\xE9"
               "bye",
               5);
  expect_close(4999, "", "\x13\x87", 2);
}

// Reasons of ASCII and then one character, around the limit of 123 bytes.
static void cuts_reasons_between_characters(void **state) {
  (void)state;
  static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (size_t c = 0; c < 4; c++) {
    size_t width = strlen(characters[c]);
    for (size_t before = 115; before <= 130; before++) {
      char reason[160] = {0}, expected[160] = "\x03\xE8";
      memset(reason, 'a', before);
      sprintf(reason + before, "%stail", characters[c]);
      // What fits: whole characters only.
      size_t kept = before >= 123 ? 123 : before + width > 123 ? before : 123;
      if (kept > strlen(reason)) kept = strlen(reason);
      memcpy(expected + 2, reason, kept);
      expect_close(1000, reason, expected, kept + 2);
    }
  }
}

static void unmasks_at_any_alignment(void **state) {
  (void)state;
  enum { SIZE = 80 };
  char original[SIZE], data[SIZE];
  for (size_t i = 0; i < SIZE; i++) original[i] = (char)(i * 37 + 11);
  for (size_t start = 0; start < 9; start++) {
    for (size_t len = 0; start + len <= SIZE; len++) {
      for (size_t offset = 0; offset < 9; offset++) {
        memcpy(data, original, SIZE);
        ws_unmask(data + start, len, mask, offset);
        for (size_t i = 0; i < SIZE; i++) {
          bool inside = i >= start && i < start + len;
          uint8_t key = inside ? mask[(i - start + offset) % 4] : 0;
          assert_int_equal((uint8_t)data[i], (uint8_t)original[i] ^ key);
        }
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes_every_length),
      cmocka_unit_test(decodes_flags_and_opcode),
      cmocka_unit_test(refuses_malformed_lengths),
      cmocka_unit_test(writes_the_shortest_header),
      cmocka_unit_test(writes_every_opcode),
      cmocka_unit_test(writes_close_frames),
      cmocka_unit_test(cuts_reasons_between_characters),
      cmocka_unit_test(unmasks_at_any_alignment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
