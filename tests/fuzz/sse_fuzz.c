// Server-sent events: whatever is written, a strict reader gets exactly these
// fields back; what cannot be said that way is refused.
#include "proto/sse.h"

#include "base/mem.h"
#include "fuzz.h"
#include "proto/sse_reader.h"

enum { EPOCH_SEQ = 7 };

// A message's wire form is the block of the same fields.
static void check_message(const struct sse_event *event) {
  struct slice id = slice_str("epoch-7");
  if (event->event.len > 255 || event->data.ptr == NULL) return;
  struct sse_event same = {
      .event = event->event.len > 0 ? event->event : slice_of(NULL, 0),
      .id = id,
      .data = event->data,
      .retry_ms = -1,
  };
  struct message_fields fields = {.payload = event->data, .event = event->event};
  struct message *m = message_new(&fields);
  m->seq = EPOCH_SEQ;
  struct buf encoded = {0}, written = {0};
  sse_encode_message(m, "epoch", &encoded);
  assert_null(sse_write(&written, &same));
  fuzz_expect_slice(buf_slice(&encoded), buf_slice(&written), "a message's wire form");
  message_unref(m);
  buf_free(&encoded);
  buf_free(&written);
}

static bool is_one_line(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (memchr("\r\n", text.ptr[i], 3) != NULL) return false;  // the NUL at their end too
  }
  return true;
}

static bool can_be_written(const struct sse_event *e) {
  bool is_text = utf8_is_valid(e->event) && utf8_is_valid(e->id) && utf8_is_valid(e->data) &&
                 utf8_is_valid(e->comment);
  bool has_field = e->event.ptr || e->id.ptr || e->data.ptr || e->comment.ptr || e->retry_ms >= 0;
  return is_text && has_field && is_one_line(e->event) && is_one_line(e->id);
}

static struct slice take_if(bool is_present, struct slice *in) {
  return is_present ? fuzz_take_field(in) : slice_of(NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  uint8_t flags = fuzz_take_byte(&in);
  struct sse_event event = {.event = take_if(flags & 1, &in),
                            .id = take_if(flags & 2, &in),
                            .comment = take_if(flags & 4, &in),
                            .data = take_if(flags & 8, &in),
                            .retry_ms = flags & 16 ? flags : -1};
  struct buf out = {0};
  const char *wrong = sse_write(&out, &event);
  assert_int_equal(wrong == NULL, can_be_written(&event));
  if (wrong == NULL) {
    expect_round_trip(&event);
    check_message(&event);
  } else {
    assert_int_equal(buf_len(&out), 0);
  }
  buf_free(&out);
  fuzz_release();
  return 0;
}
