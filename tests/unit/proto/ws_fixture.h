// What a WebSocket client sends, as bytes, and what a parser tells of it, as text:
// for the tests of ws_parse.
#ifndef TIDEGATE_TESTS_WS_FIXTURE_H
#define TIDEGATE_TESTS_WS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"
#include "proto/ws_deflate.h"
#include "proto/ws_close_code.h"
#include "proto/ws_parse.h"

// ---- what a client sends -------------------------------------------------

enum { MAX_MESSAGE = 1000 };  // of a parser, where a test does not say

enum form { FORM_SHORTEST, FORM_16, FORM_64, FORM_UNMASKED, FORM_RAW, FORM_HEADER };

struct part {
  uint8_t first;  // flags and opcode
  enum form form;
  const char *bytes;  // the payload; for FORM_RAW the bytes as they go out
  size_t len;         // for FORM_HEADER a header that announces this, and no payload
};

#define FRAME(first, text) \
  { first, FORM_SHORTEST, text, sizeof(text) - 1 }
#define FRAME_AS(form, first, text) \
  { first, form, text, sizeof(text) - 1 }
#define RAW(text) \
  { 0, FORM_RAW, text, sizeof(text) - 1 }
#define HEADER(first, length) \
  { first, FORM_HEADER, NULL, length }

static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};

static inline void write_length(struct buf *out, uint64_t length, size_t bytes) {
  while (bytes-- > 0) buf_append_char(out, (char)(length >> 8 * bytes));
}

static inline void write_header(struct buf *out, uint8_t first, uint64_t length, enum form form) {
  uint8_t masked = form == FORM_UNMASKED ? 0 : 0x80;
  buf_append_char(out, (char)first);
  if (form == FORM_64 || (form != FORM_16 && length > 65535)) {
    buf_append_char(out, (char)(masked | 127));
    write_length(out, length, 8);
  } else if (form == FORM_16 || length > 125) {
    buf_append_char(out, (char)(masked | 126));
    write_length(out, length, 2);
  } else {
    buf_append_char(out, (char)(masked | length));
  }
  if (masked) buf_append(out, mask, 4);
}

static inline void write_part(struct buf *out, const struct part *part) {
  if (part->form == FORM_RAW) {
    buf_append(out, part->bytes, part->len);
    return;
  }
  write_header(out, part->first, part->len, part->form);
  if (part->form == FORM_HEADER) return;
  for (size_t i = 0; i < part->len; i++) {
    uint8_t key = part->form == FORM_UNMASKED ? 0 : mask[i % 4];
    buf_append_char(out, (char)(part->bytes[i] ^ key));
  }
}

static inline void write_frame(struct buf *out, uint8_t first, struct slice payload) {
  write_part(out, &(struct part){first, FORM_SHORTEST, payload.ptr, payload.len});
}

// ---- what a parser tells -------------------------------------------------

// Of the parsers that run_begin makes; 0: they speak no permessage-deflate.
static uint8_t peer_window_bits;

struct run {
  struct ws_parser parser;
  struct ws_inflater *spare;
  struct buf told;    // one event after another: "text(...) ping(...) failed(1002)"
  size_t fed;         // bytes of input so far
  size_t told_after;  // how many of them it took for the last event
};

static inline void write_event(struct buf *told, enum ws_event event, const struct ws_result *r) {
  static const char *const names[] = {[WS_EVENT_PING] = "ping",
                                      [WS_EVENT_PONG] = "pong",
                                      [WS_EVENT_CLOSE] = "close",
                                      [WS_EVENT_FAILED] = "failed"};
  if (buf_len(told) > 0) buf_append_char(told, ' ');
  if (event == WS_EVENT_MESSAGE)
    buf_append_str(told, r->kind == MESSAGE_TEXT ? "text(" : "binary(");
  else
    buf_printf(told, "%s(", names[event]);
  if (r->code != 0) buf_printf(told, "%d", r->code);
  if (event == WS_EVENT_CLOSE && r->data.len > 0) buf_append_char(told, ' ');
  buf_append_slice(told, r->data);
  buf_append_char(told, ')');
}

// What is true of every event.
static inline void check_event(const struct ws_parser *parser, enum ws_event event,
                               const struct ws_result *r) {
  bool is_message = event == WS_EVENT_MESSAGE;
  assert_true(r->data.len <= (is_message ? parser->max_message : WS_CONTROL_MAX));
  if (event == WS_EVENT_CLOSE || (is_message && r->kind == MESSAGE_TEXT))
    assert_true(utf8_is_valid(r->data));
  if (event == WS_EVENT_CLOSE)
    assert_true(r->code == WS_CLOSE_NO_STATUS || ws_close_code_is_valid(r->code));
  if (event == WS_EVENT_FAILED) {
    assert_non_null(r->reason);
    assert_true(r->code == 1002 || r->code == 1007 || r->code == 1009);
  }
  assert_int_equal(parser->is_finished, event == WS_EVENT_CLOSE || event == WS_EVENT_FAILED);
}

// Feeds a piece from memory of its own, so that a sanitizer sees a step outside.
static inline void feed_piece(struct run *run, struct slice piece) {
  char *data = mem_dup(piece.ptr, piece.len);
  size_t at = 0;
  run->fed += piece.len;
  for (;;) {
    size_t consumed = SIZE_MAX;
    struct ws_result result;
    enum ws_event event =
        ws_parser_feed(&run->parser, &run->spare, data + at, piece.len - at, &consumed, &result);
    assert_true(consumed <= piece.len - at);
    at += consumed;
    if (event == WS_EVENT_MORE) break;
    check_event(&run->parser, event, &result);
    write_event(&run->told, event, &result);
    run->told_after = run->fed;
  }
  assert_int_equal(at, piece.len);
  free(data);
}

static inline void feed_pieces(struct run *run, struct slice input, size_t bytes) {
  for (size_t at = 0; at < input.len; at += bytes) {
    size_t left = input.len - at;
    feed_piece(run, slice_of(input.ptr + at, left < bytes ? left : bytes));
  }
}

// How input is cut up: 0 whole, 1 byte by byte, otherwise the seed of random
// pieces of up to `most` bytes.
static inline void feed_cut(struct run *run, struct slice input, unsigned cut, size_t most) {
  if (cut < 2) {
    feed_pieces(run, input, cut == 0 ? input.len : 1);
    return;
  }
  struct random random = {cut + 1};
  while (input.len > 0) {
    size_t size = 1 + random_below(&random, most);
    if (size > input.len) size = input.len;
    feed_piece(run, slice_of(input.ptr, size));
    input = slice_of(input.ptr + size, input.len - size);
  }
}

static inline void run_begin(struct run *run, uint32_t max_message) {
  *run = (struct run){0};
  ws_parser_init(&run->parser, max_message);
  run->parser.peer_window_bits = peer_window_bits;
}

static inline void run_end(struct run *run) {
  ws_parser_free(&run->parser);
  ws_inflater_free(run->spare);
  buf_free(&run->told);
}

static inline void run_end_expecting(struct run *run, const char *name, size_t cut,
                                     struct slice told) {
  struct slice got = buf_slice(&run->told);
  if (!slice_equal(got, told)) {
    fail_msg("%s, cut %zu: told %.*s instead of %.*s", name, cut,
             (int)(got.len > 200 ? 200 : got.len), got.ptr, (int)(told.len > 200 ? 200 : told.len),
             told.ptr);
  }
  run_end(run);
}

// Runs the input in many cuts, and expects `told` of each.
static inline void expect_told(const char *name, struct slice input, struct slice told,
                               uint32_t max_message, unsigned cuts, size_t most) {
  for (unsigned cut = 0; cut < cuts; cut++) {
    struct run run;
    run_begin(&run, max_message);
    feed_cut(&run, input, cut, most);
    run_end_expecting(&run, name, cut, told);
  }
}

// What a client sends in a few parts, and what is told of it: the state of a test
// for each, test_talk_row.
enum { MAX_PARTS = 6 };

struct talk_row {
  const char *name;
  struct part parts[MAX_PARTS];
  const char *told;
};

static inline void test_talk_row(void **state) {
  const struct talk_row *row = *state;
  struct buf input = {0};
  for (size_t p = 0; p < MAX_PARTS; p++) {
    const struct part *part = &row->parts[p];
    if (part->len > 0 || part->bytes != NULL) write_part(&input, part);
  }
  expect_told(row->name, buf_slice(&input), slice_str(row->told), MAX_MESSAGE, 40, 9);
  buf_free(&input);
}

// Feeds byte by byte and expects the failure exactly after `bytes`.
static inline void expect_failure_after(struct slice input, size_t bytes, int code) {
  struct run run;
  run_begin(&run, MAX_MESSAGE);
  feed_pieces(&run, input, 1);
  char told[20];
  snprintf(told, sizeof told, "failed(%d)", code);
  if (run.told_after != bytes) fail_msg("%s after %zu bytes, not %zu", told, run.told_after, bytes);
  run_end_expecting(&run, "byte by byte", 1, slice_str(told));
}

#endif
