// An event stream as a client reads it, by a small strict parser that follows the
// WHATWG rules ("Interpreting an event stream") to the letter: for the tests of sse.
#ifndef TIDEGATE_TESTS_SSE_READER_H
#define TIDEGATE_TESTS_SSE_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "proto/sse.h"

// What a client would see of one stream.
struct reader {
  struct buf type, data, id;      // the buffers of the standard
  struct buf last_id, comments;   // comments: each line followed by LF
  struct buf got_type, got_data;  // the last event dispatched
  int64_t retry;
  int dispatched, blocks;
};

static inline void reader_free(struct reader *r) {
  struct buf *bufs[] = {&r->type,     &r->data,     &r->id,      &r->last_id,
                        &r->comments, &r->got_type, &r->got_data};
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_free(bufs[i]);
}

static inline void set_buf(struct buf *b, struct slice value) {
  buf_clear(b);
  buf_append_slice(b, value);
}

static inline void dispatch(struct reader *r) {
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

static inline void read_field(struct reader *r, struct slice name, struct slice value) {
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

static inline void read_line(struct reader *r, struct slice line) {
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

static inline void read_stream(struct reader *r, struct slice stream) {
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
static inline void normalize(struct buf *out, struct slice text) {
  buf_clear(out);
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '\n' && i > 0 && text.ptr[i - 1] == '\r') continue;
    buf_append_char(out, text.ptr[i] == '\r' ? '\n' : text.ptr[i]);
  }
}

static inline void expect_slice(struct slice got, struct slice expected) {
  if (!slice_equal(got, expected)) {
    fail_msg("got \"%.*s\", not \"%.*s\"", (int)got.len, got.ptr, (int)expected.len, expected.ptr);
  }
}

// Writes the event, reads it back and compares every field.
static inline void expect_round_trip(const struct sse_event *event) {
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

#endif
