// Tests of the SSE writer, read back by the parser of sse_reader.h.
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "proto/sse_reader.h"

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

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
     "event: tick\nretry: 1500\ndata: 1\nid: e-7\n\n"},
    {{.event = TEXT(" x"), .data = TEXT("1"), .retry_ms = -1}, "event:  x\ndata: 1\n\n"},
    {{.event = TEXT("alone"), .retry_ms = -1}, "event: alone\n\n"},
    {{.id = TEXT("5"), .retry_ms = -1}, "id: 5\n\n"},
    {{.id = TEXT(""), .data = TEXT("x"), .retry_ms = -1}, "data: x\nid: \n\n"},
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
  expect_message(&(struct message_fields){.payload = TEXT("hi")}, 7, "data: hi\nid: k3x-7\n\n");
  expect_message(&(struct message_fields){.payload = TEXT("")}, 1, "data: \nid: k3x-1\n\n");
  expect_message(
      &(struct message_fields){
          .payload = TEXT("a\r\nb\n"), .event = TEXT("chat"), .key = TEXT("k")},
      UINT64_MAX, "event: chat\ndata: a\ndata: b\ndata: \nid: k3x-18446744073709551615\n\n");
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
