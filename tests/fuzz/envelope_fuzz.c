// The JSON that C writes: whatever text a message holds, a client that decodes
// its envelope gets the same text back (envelope_fuzz.lua).
#include "base/message.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "lua_vm.h"
#include "proto/ws_message.h"

static const char field_end = (char)FUZZ_FIELD_END;

static struct slice take_short(struct slice *in) {
  struct slice field = fuzz_take_field(in);
  return slice_of(field.ptr, field.len < 255 ? field.len : 255);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  struct message_fields fields = {.topic = take_short(&in),
                                  .event = take_short(&in),
                                  .key = take_short(&in),
                                  .payload = fuzz_take_field(&in)};
  const struct slice texts[] = {fields.topic, fields.event, fields.key, fields.payload};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (utf8_is_valid(texts[i])) continue;
    fuzz_release();
    return -1;  // publish lets no such message in
  }
  struct message *m = message_new(&fields);
  struct buf frame = {0}, told = {0};
  struct ws_frame head;
  ws_encode_envelope(m, "epoch", NULL, &frame);
  buf_consume(&frame, (size_t)ws_frame_decode(buf_slice(&frame), &head));
  assert_true(head.opcode == WS_TEXT && head.length == buf_len(&frame));
  buf_append_slice(&told, buf_slice(&frame));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    buf_append(&told, &field_end, 1);
    buf_append_slice(&told, texts[i]);
  }
  message_unref(m);
  fuzz_release();
  lua_vm_run("envelope_fuzz", buf_slice(&told));
  buf_free(&frame);
  buf_free(&told);
  return 0;
}
