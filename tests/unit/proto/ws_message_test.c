// WebSocket messages as they go out: which are compressed, and the wire forms.
#include "proto/ws_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

// ---- wire forms ----------------------------------------------------------

static void encodes_messages(void **state) {
  (void)state;
  for (int kind = MESSAGE_TEXT; kind <= MESSAGE_BINARY; kind++) {
    struct message *m = message_new(&(struct message_fields){.kind = kind,
                                                             .payload = slice_str("hello"),
                                                             .event = slice_str("name"),
                                                             .key = slice_str("k")});
    struct buf out = {0};
    ws_encode_message(m, NULL, &out);
    const char *expected = kind == MESSAGE_TEXT ? "\x81\x05hello" : "\x82\x05hello";
    assert_true(slice_equal(buf_slice(&out), slice_str(expected)));
    buf_free(&out);
    message_unref(m);
  }
}

static void check_envelope(const struct message_fields *fields, const char *expected) {
  struct message *m = message_new(fields);
  struct buf out = {0};
  m->seq = 7;
  ws_encode_envelope(m, "epoch", NULL, &out);
  struct ws_frame frame;
  int header = buf_len(&out) > 0 ? ws_frame_decode(buf_slice(&out), &frame) : 0;
  struct slice text = slice_of(buf_slice(&out).ptr + header, buf_len(&out) - (size_t)header);
  assert_true(slice_equal(text, slice_str(expected)));
  if (header > 0) assert_true(frame.opcode == WS_TEXT && frame.fin && frame.length == text.len);
  buf_free(&out);
  message_unref(m);
}

static void encodes_envelopes(void **state) {
  (void)state;
  struct slice topic = slice_str("a\"b");
  check_envelope(&(struct message_fields){.payload = slice_str("x\n\\"), .topic = topic},
                 "{\"id\":\"epoch-7\",\"topic\":\"a\\\"b\",\"data\":\"x\\n\\\\\"}");
  check_envelope(
      &(struct message_fields){.payload = slice_str("[1]"),
                               .is_json = true,
                               .topic = topic,
                               .event = slice_str("e"),
                               .key = slice_str("k")},
      "{\"id\":\"epoch-7\",\"topic\":\"a\\\"b\",\"event\":\"e\",\"key\":\"k\",\"data\":[1]}");
  check_envelope(
      &(struct message_fields){.kind = MESSAGE_BINARY, .payload = slice_str("x"), .topic = topic},
      "");
}

// ---- compressed ----------------------------------------------------------

static struct ws_deflater *deflater;
static struct ws_inflater *inflater;

static int open_codecs(void **state) {
  (void)state;
  deflater = ws_deflater_new(WS_WINDOW_BITS, false);
  inflater = ws_inflater_new(WS_WINDOW_BITS, false);
  return 0;
}

static int close_codecs(void **state) {
  (void)state;
  ws_deflater_free(deflater);
  ws_inflater_free(inflater);
  return 0;
}

// Reads the one frame in `bytes`, which has to carry `text`. Returns whether it is compressed.
static bool read_frame(struct slice bytes, struct slice text) {
  struct ws_frame frame;
  int size = ws_frame_decode(bytes, &frame);
  assert_true(size > 0 && frame.fin && !frame.rsv2 && !frame.rsv3 && !frame.masked);
  struct slice payload = slice_of(bytes.ptr + size, bytes.len - (size_t)size);
  assert_int_equal(frame.length, payload.len);
  if (!frame.rsv1) {
    assert_true(slice_equal(payload, text));
    return false;
  }
  struct buf out = {0};
  assert_true(payload.len < text.len);
  ws_inflater_begin(inflater);
  assert_int_equal(ws_inflate(inflater, payload, text.len, &out), WS_INFLATED);
  assert_int_equal(ws_inflater_end(inflater, text.len, &out), WS_INFLATED);
  assert_true(slice_equal(buf_slice(&out), text));
  buf_free(&out);
  return true;
}

static bool is_sent_compressed(struct slice text) {
  struct buf out = {0};
  buf_append_str(&out, "before");
  ws_message_write(&out, WS_BINARY, text, deflater);
  bool is_compressed = read_frame(slice_of(out.data + 6, out.end - 6), text);
  buf_free(&out);
  return is_compressed;
}

static void short_messages_go_uncompressed(void **state) {
  (void)state;
  char text[2 * WS_DEFLATE_MIN] = {0};
  for (size_t len = 0; len <= sizeof text; len++)
    assert_int_equal(is_sent_compressed(slice_of(text, len)), len >= WS_DEFLATE_MIN);
}

static void messages_of_every_header_form_are_compressed(void **state) {
  (void)state;
  static const size_t lengths[] = {125, 126, 127, 20000, 65535, 65536, 10000000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    struct buf text = {0};
    for (size_t n = 0; buf_len(&text) < lengths[i]; n++) buf_printf(&text, "%zu ", n % 1000);
    assert_true(is_sent_compressed(slice_of(text.data, lengths[i])));
    buf_free(&text);
  }
}

static void messages_that_would_not_get_smaller_go_uncompressed(void **state) {
  (void)state;
  static char noise[100000];
  struct random random = {3};
  for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)random_below(&random, 256);
  for (size_t len = WS_DEFLATE_MIN; len <= sizeof noise; len = len * 3 / 2)
    assert_false(is_sent_compressed(slice_of(noise, len)));
  memset(noise, 'a', 200);  // and the next one is none the worse for it
  assert_true(is_sent_compressed(slice_of(noise, 200)));
}

static void wire_forms_are_compressed_alike(void **state) {
  (void)state;
  char text[200];
  memset(text, 'x', sizeof text);
  struct message *m = message_new(&(struct message_fields){
      .payload = slice_of(text, sizeof text), .is_json = true, .topic = slice_str("t")});
  struct buf plain = {0}, out = {0};
  ws_encode_message(m, deflater, &out);
  assert_true(read_frame(buf_slice(&out), message_payload(m)));
  buf_clear(&out);
  ws_encode_envelope(m, "epoch", NULL, &plain);
  ws_encode_envelope(m, "epoch", deflater, &out);
  buf_consume(&plain, 4);  // a header for 126 to 65535 bytes
  assert_true(read_frame(buf_slice(&out), buf_slice(&plain)));
  buf_free(&plain);
  buf_free(&out);
  message_unref(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(encodes_messages),
      cmocka_unit_test(encodes_envelopes),
      cmocka_unit_test(short_messages_go_uncompressed),
      cmocka_unit_test(messages_of_every_header_form_are_compressed),
      cmocka_unit_test(messages_that_would_not_get_smaller_go_uncompressed),
      cmocka_unit_test(wire_forms_are_compressed_alike),
  };
  return cmocka_run_group_tests(tests, open_codecs, close_codecs);
}
