// Tests of the SSE writer, read back by a small strict parser that follows the
// WHATWG rules ("Interpreting an event stream") to the letter.
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/utf8.h"

// What a client would see of one stream.
struct reader {
  struct buf type, data, id;      // the buffers of the standard
  struct buf last_id, comments;   // comments: each line followed by LF
  struct buf got_type, got_data;  // the last event dispatched
  int64_t retry;
  int dispatched, blocks;
};

static void reader_free(struct reader *r) {
  struct buf *bufs[] = {&r->type,     &r->data,     &r->id,      &r->last_id,
                        &r->comments, &r->got_type, &r->got_data};
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_free(bufs[i]);
}

static void set_buf(struct buf *b, struct slice value) {
  buf_clear(b);
  buf_append_slice(b, value);
}

static void dispatch(struct reader *r) {
  r->blocks++;
  set_buf(&r->last_id, buf_slice(&r->id));
  if (buf_len(&r->data) > 0) {
    set_buf(&r->got_data, slice_of(r->data.data, r->data.end - 1));  // without the last LF
    set_buf(&r->got_type, buf_len(&r->type) > 0 ? buf_slice(&r->type) : slice_str("message"));
    r->dispatched++;
  }
  buf_clear(&r->data);
  buf_clear(&r->type);
}

static void read_field(struct reader *r, struct slice name, struct slice value) {
  if (slice_equal(name, slice_str("event"))) {
    set_buf(&r->type, value);
  } else if (slice_equal(name, slice_str("data"))) {
    buf_append_slice(&r->data, value);
    buf_append_char(&r->data, '\n');
  } else if (slice_equal(name, slice_str("id"))) {
    assert_null(value.len > 0 ? memchr(value.ptr, 0, value.len) : NULL);
    set_buf(&r->id, value);
  } else if (slice_equal(name, slice_str("retry"))) {
    r->retry = 0;
    assert_true(value.len > 0);
    for (size_t i = 0; i < value.len; i++) {
      assert_in_range(value.ptr[i], '0', '9');
      r->retry = r->retry * 10 + (value.ptr[i] - '0');
    }
  } else {
    fail_msg("a field named %.*s", (int)name.len, name.ptr);  // a client would ignore it
  }
}

static void read_line(struct reader *r, struct slice line) {
  if (line.len == 0) {
    dispatch(r);
    return;
  }
  const char *colon = memchr(line.ptr, ':', line.len);
  assert_non_null(colon);
  struct slice name = slice_of(line.ptr, (size_t)(colon - line.ptr));
  struct slice value = slice_of(colon + 1, line.len - name.len - 1);
  if (value.len > 0 && value.ptr[0] == ' ') value.ptr++, value.len--;
  if (name.len > 0) {
    read_field(r, name, value);
  } else {
    buf_append_slice(&r->comments, value);
    buf_append_char(&r->comments, '\n');
  }
}

static void read_stream(struct reader *r, struct slice stream) {
  assert_true(utf8_is_valid(stream));
  size_t at = 0, start = 0;
  while (at < stream.len) {
    char c = stream.ptr[at++];
    if (c != '\r' && c != '\n') continue;
    read_line(r, slice_of(stream.ptr + start, at - 1 - start));
    if (c == '\r' && at < stream.len && stream.ptr[at] == '\n') at++;
    start = at;
  }
  assert_int_equal(start, stream.len);  // the last line is ended
}

// What a client can get of `text`: each CR, LF and CRLF becomes LF.
static void normalize(struct buf *out, struct slice text) {
  buf_clear(out);
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '\n' && i > 0 && text.ptr[i - 1] == '\r') continue;
    buf_append_char(out, text.ptr[i] == '\r' ? '\n' : text.ptr[i]);
  }
}

static void expect_slice(struct slice got, struct slice expected) {
  if (!slice_equal(got, expected)) {
    fail_msg("got \"%.*s\", not \"%.*s\"", (int)got.len, got.ptr, (int)expected.len, expected.ptr);
  }
}

// Writes the event, reads it back and compares every field.
static void expect_round_trip(const struct sse_event *event) {
  struct buf out = {0}, normal = {0};
  struct reader r = {.retry = -1};
  assert_null(sse_write(&out, event));
  read_stream(&r, buf_slice(&out));
  assert_int_equal(r.blocks, 1);
  assert_int_equal(r.dispatched, event->data.ptr != NULL);
  assert_int_equal(r.retry, event->retry_ms);
  expect_slice(buf_slice(&r.last_id), event->id);
  if (event->data.ptr != NULL) {
    normalize(&normal, event->data);
    expect_slice(buf_slice(&r.got_data), buf_slice(&normal));
    expect_slice(buf_slice(&r.got_type),
                 event->event.len > 0 ? event->event : slice_str("message"));
  }
  normalize(&normal, event->comment);
  if (event->comment.ptr != NULL) buf_append_char(&normal, '\n');
  expect_slice(buf_slice(&r.comments), buf_slice(&normal));
  reader_free(&r);
  buf_free(&normal);
  buf_free(&out);
}

#define TEXT(literal) \
  { literal, sizeof literal - 1 }

static const struct {
  struct sse_event event;
  const char *bytes;
} rows[] = {
    {{.data = TEXT("a"), .retry_ms = -1}, "data: a\n\n"},
    {{.data = TEXT(""), .retry_ms = -1}, "data: \n\n"},
    {{.data = TEXT(" a"), .retry_ms = -1}, "data:  a\n\n"},
    {{.data = TEXT("a\nb"), .retry_ms = -1}, "data: a\ndata: b\n\n"},
    {{.data = TEXT("a\rb"), .retry_ms = -1}, "data: a\ndata: b\n\n"},
    {{.data = TEXT("a\r\nb"), .retry_ms = -1}, "data: a\ndata: b\n\n"},
    {{.data = TEXT("a\n\rb"), .retry_ms = -1}, "data: a\ndata: \ndata: b\n\n"},
    {{.data = TEXT("\n"), .retry_ms = -1}, "data: \ndata: \n\n"},
    {{.data = TEXT("\r\r\n\n"), .retry_ms = -1}, "data: \ndata: \ndata: \ndata: \n\n"},
    {{.data = TEXT("a\n"), .retry_ms = -1}, "data: a\ndata: \n\n"},
    {{.data = TEXT("event: x\n\nid: 1"), .retry_ms = -1},
     "data: event: x\ndata: \ndata: id: 1\n\n"},
    {{.event = TEXT("tick"), .data = TEXT("1"), .id = TEXT("e-7"), .retry_ms = 1500},
     "event: tick\nid: e-7\nretry: 1500\ndata: 1\n\n"},
    {{.event = TEXT(" x"), .data = TEXT("1"), .retry_ms = -1}, "event:  x\ndata: 1\n\n"},
    {{.event = TEXT("alone"), .retry_ms = -1}, "event: alone\n\n"},
    {{.id = TEXT("5"), .retry_ms = -1}, "id: 5\n\n"},
    {{.id = TEXT(""), .data = TEXT("x"), .retry_ms = -1}, "id: \ndata: x\n\n"},
    {{.retry_ms = 0}, "retry: 0\n\n"},
    {{.comment = TEXT(""), .retry_ms = -1}, ": \n\n"},
    {{.comment = TEXT("hi\r\nthere\rx"), .retry_ms = -1}, ": hi\n: there\n: x\n\n"},
    {{.comment = TEXT("c"), .data = TEXT("d"), .retry_ms = -1}, ": c\ndata: d\n\n"},
    {{.data = TEXT("\xE2\x82\xAC"), .retry_ms = -1}, "data: \xE2\x82\xAC\n\n"},
};

static void writes_fields(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = {0};
    assert_null(sse_write(&out, &rows[i].event));
    expect_slice(buf_slice(&out), slice_str(rows[i].bytes));
    buf_free(&out);
    expect_round_trip(&rows[i].event);
  }
}

static void refuses_bad_fields(void **state) {
  (void)state;
  static const struct sse_event bad[] = {
      {.retry_ms = -1},
      {.event = TEXT("a\nb"), .retry_ms = -1},
      {.event = TEXT("a\r"), .retry_ms = -1},
      {.event = TEXT("a\0b"), .retry_ms = -1},
      {.id = TEXT("\n"), .retry_ms = -1},
      {.id = TEXT("1\r2"), .data = TEXT("x"), .retry_ms = -1},
      {.id = TEXT("1\0"), .retry_ms = -1},
      {.event = TEXT("\xFF"), .retry_ms = -1},
      {.id = TEXT("\xC3"), .retry_ms = -1},
      {.data = TEXT("ok\xED\xA0\x80"), .retry_ms = -1},
      {.data = TEXT("cut\xE2\x82"), .retry_ms = -1},
      {.comment = TEXT("\x80"), .data = TEXT("x"), .retry_ms = -1},
  };
  struct buf out = {0};
  buf_append_str(&out, "before");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_non_null(sse_write(&out, &bad[i]));
    expect_slice(buf_slice(&out), slice_str("before"));
  }
  buf_free(&out);
}

// Random text of pieces that matter to the format.
static struct slice random_text(struct random *random, char *store, uint32_t max_pieces) {
  static const struct slice pieces[] = {TEXT("\r"),       TEXT("\n"),     TEXT("\r\n"),
                                        TEXT("a"),        TEXT(" "),      TEXT(":"),
                                        TEXT("\xC3\xA9"), TEXT("data: "), TEXT("\0")};
  size_t len = 0;
  for (uint64_t n = random_below(random, max_pieces + 1); n > 0; n--) {
    struct slice piece = pieces[random_below(random, sizeof pieces / sizeof *pieces)];
    memcpy(store + len, piece.ptr, piece.len);
    len += piece.len;
  }
  return slice_of(store, len);
}

static void survives_random_text(void **state) {
  (void)state;
  struct random random = {20260131};
  char data[256], comment[256];
  for (int i = 0; i < 20000; i++) {
    struct sse_event event = {.retry_ms = (int64_t)random_below(&random, 2000) - 1000};
    if (event.retry_ms < 0) event.retry_ms = -1;
    event.data = random_text(&random, data, 24);
    if (random_below(&random, 2)) event.comment = random_text(&random, comment, 12);
    if (random_below(&random, 2)) event.event = slice_str(" name: x ");
    if (random_below(&random, 2)) event.id = slice_str(":1");
    expect_round_trip(&event);
  }
}

// One event after another: nothing of one may leak into the next.
static void keeps_events_apart(void **state) {
  (void)state;
  struct buf out = {0};
  struct reader r = {.retry = -1};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_null(sse_write(&out, &rows[i].event));
    read_stream(&r, buf_slice(&out));
    buf_clear(&out);
    assert_int_equal(r.blocks, i + 1);
    if (rows[i].event.data.ptr == NULL) continue;
    struct slice type = rows[i].event.event;
    expect_slice(buf_slice(&r.got_type), type.ptr != NULL ? type : slice_str("message"));
  }
  reader_free(&r);
  buf_free(&out);
}

static void expect_message(const struct message_fields *fields, uint64_t seq, const char *bytes) {
  struct message *m = message_new(fields);
  m->seq = seq;
  struct buf out = {0};
  sse_encode_message(m, "k3x", &out);
  expect_slice(buf_slice(&out), slice_str(bytes));
  buf_free(&out);
  message_unref(m);
}

static void encodes_messages(void **state) {
  (void)state;
  expect_message(&(struct message_fields){.payload = TEXT("hi")}, 7, "id: k3x-7\ndata: hi\n\n");
  expect_message(&(struct message_fields){.payload = TEXT("")}, 1, "id: k3x-1\ndata: \n\n");
  expect_message(
      &(struct message_fields){
          .payload = TEXT("a\r\nb\n"), .event = TEXT("chat"), .key = TEXT("k")},
      UINT64_MAX, "event: chat\nid: k3x-18446744073709551615\ndata: a\ndata: b\ndata: \n\n");
  expect_message(
      &(struct message_fields){
          .kind = MESSAGE_BINARY, .payload = TEXT("hi"), .event = TEXT("chat")},
      7, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_fields),        cmocka_unit_test(refuses_bad_fields),
      cmocka_unit_test(survives_random_text), cmocka_unit_test(keeps_events_apart),
      cmocka_unit_test(encodes_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
