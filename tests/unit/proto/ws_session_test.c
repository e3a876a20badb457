// The receiving side of a WebSocket session: every rule of RFC 6455 as a row,
// and that what a session tells never depends on how its input is cut up.
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
#include "proto/ws_session.h"

enum { MAX_MESSAGE = 1000, MAX_PARTS = 6 };

// ---- what a client sends -------------------------------------------------

enum form { FORM_SHORTEST, FORM_16, FORM_64, FORM_UNMASKED, FORM_RAW, FORM_HEADER };

struct part {
  uint8_t first;  // flags and opcode
  enum form form;
  const char *bytes;  // the payload; for FORM_RAW the bytes as they go out
  size_t len;         // for FORM_HEADER a header that announces this, and no payload
};

#define FRAME(first, text) \
  { first, FORM_SHORTEST, text, sizeof text - 1 }
#define FRAME_AS(form, first, text) \
  { first, form, text, sizeof text - 1 }
#define RAW(text) \
  { 0, FORM_RAW, text, sizeof text - 1 }
#define HEADER(first, length) \
  { first, FORM_HEADER, NULL, length }

static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};

static void write_length(struct buf *out, uint64_t length, size_t bytes) {
  while (bytes-- > 0) buf_append_char(out, (char)(length >> 8 * bytes));
}

static void write_header(struct buf *out, uint8_t first, uint64_t length, enum form form) {
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

static void write_part(struct buf *out, const struct part *part) {
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

static void write_frame(struct buf *out, uint8_t first, struct slice payload) {
  write_part(out, &(struct part){first, FORM_SHORTEST, payload.ptr, payload.len});
}

// ---- what a session tells ------------------------------------------------

struct run {
  struct ws_session session;
  struct buf told;    // one event after another: "text(...) ping(...) failed(1002)"
  size_t fed;         // bytes of input so far
  size_t told_after;  // how many of them it took for the last event
};

static void write_event(struct buf *told, enum ws_event event, const struct ws_result *r) {
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
  if (event == WS_EVENT_FAILED) assert_non_null(r->reason);
  buf_append_slice(told, r->data);
  buf_append_char(told, ')');
}

// Feeds a piece from memory of its own, so that a sanitizer sees a step outside.
static void feed_piece(struct run *run, struct slice piece) {
  char *data = mem_dup(piece.ptr, piece.len);
  size_t at = 0;
  run->fed += piece.len;
  for (;;) {
    size_t consumed = SIZE_MAX;
    struct ws_result result;
    enum ws_event event =
        ws_session_feed(&run->session, data + at, piece.len - at, &consumed, &result);
    assert_true(consumed <= piece.len - at);
    at += consumed;
    if (event == WS_EVENT_MORE) break;
    write_event(&run->told, event, &result);
    run->told_after = run->fed;
  }
  assert_int_equal(at, piece.len);
  free(data);
}

// How input is cut up: 0 whole, 1 byte by byte, otherwise the seed of random
// pieces of up to `most` bytes.
static void feed_cut(struct run *run, struct slice input, unsigned cut, size_t most) {
  struct random random = {cut + 1};
  for (size_t at = 0; at < input.len;) {
    size_t size = cut == 0 ? input.len : cut == 1 ? 1 : 1 + random_below(&random, most);
    if (size > input.len - at) size = input.len - at;
    feed_piece(run, slice_of(input.ptr + at, size));
    at += size;
  }
}

static void run_begin(struct run *run, uint32_t max_message) {
  *run = (struct run){0};
  ws_session_init(&run->session, max_message);
}

static void run_end(struct run *run) {
  ws_session_free(&run->session);
  buf_free(&run->told);
}

// Runs the input in many cuts, and expects `told` of each.
static void expect_told(const char *name, struct slice input, struct slice told,
                        uint32_t max_message, unsigned cuts, size_t most) {
  for (unsigned cut = 0; cut < cuts; cut++) {
    struct run run;
    run_begin(&run, max_message);
    feed_cut(&run, input, cut, most);
    if (!slice_equal(buf_slice(&run.told), told)) {
      struct slice got = buf_slice(&run.told);
      fail_msg("%s, cut %u: told %.*s instead of %.*s", name, cut,
               (int)(got.len > 200 ? 200 : got.len), got.ptr,
               (int)(told.len > 200 ? 200 : told.len), told.ptr);
    }
    run_end(&run);
  }
}

// ---- the rules -----------------------------------------------------------

#define A125                                                        \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
  const char *name;
  struct part parts[MAX_PARTS];
  const char *told;
} rows[] = {
    {"text", {FRAME(0x81, "Hello")}, "text(Hello)"},
    {"binary", {FRAME(0x82, "\xFF\x80")}, "binary(\xFF\x80)"},
    {"empty text", {FRAME(0x81, "")}, "text()"},
    {"empty binary", {FRAME(0x82, "")}, "binary()"},
    {"many", {FRAME(0x81, "a"), FRAME(0x82, "b"), FRAME(0x81, "c")}, "text(a) binary(b) text(c)"},
    {"ping", {FRAME(0x89, "p")}, "ping(p)"},
    {"empty ping", {FRAME(0x89, "")}, "ping()"},
    {"pong", {FRAME(0x8A, "q")}, "pong(q)"},
    {"longest ping", {FRAME(0x89, A125)}, "ping(" A125 ")"},

    {"fragments", {FRAME(0x01, "Hel"), FRAME(0x80, "lo")}, "text(Hello)"},
    {"binary fragments",
     {FRAME(0x02, "\xFF"), FRAME(0x00, "b"), FRAME(0x80, "\xFE")},
     "binary(\xFF"
     "b\xFE)"},
    {"empty fragments", {FRAME(0x01, ""), FRAME(0x00, ""), FRAME(0x80, "")}, "text()"},
    {"empty last fragment", {FRAME(0x01, "ab"), FRAME(0x80, "")}, "text(ab)"},
    {"control frames between fragments",
     {FRAME(0x01, "a"), FRAME(0x89, "1"), FRAME(0x00, "b"), FRAME(0x8A, "2"), FRAME(0x80, "c")},
     "ping(1) pong(2) text(abc)"},
    {"messages after fragments",
     {FRAME(0x02, "\x80"), FRAME(0x80, "\x81"), FRAME(0x81, "x"), FRAME(0x01, "y"),
      FRAME(0x80, "z")},
     "binary(\x80\x81) text(x) text(yz)"},
    {"close between fragments",
     {FRAME(0x01, "a"), FRAME(0x88, "\x03\xE8"), FRAME(0x80, "b")},
     "close(1000)"},
    {"only fragments", {FRAME(0x01, "a"), FRAME(0x00, "b")}, ""},

    {"unmasked", {FRAME_AS(FORM_UNMASKED, 0x81, "a")}, "failed(1002)"},
    {"unmasked ping", {FRAME_AS(FORM_UNMASKED, 0x89, "")}, "failed(1002)"},
    {"unmasked after good",
     {FRAME(0x81, "a"), FRAME_AS(FORM_UNMASKED, 0x81, "b")},
     "text(a) failed(1002)"},
    {"reserved bit 1", {FRAME(0xC1, "a")}, "failed(1002)"},
    {"reserved bit 2", {FRAME(0xA1, "a")}, "failed(1002)"},
    {"reserved bit 3", {FRAME(0x91, "a")}, "failed(1002)"},
    {"reserved bit on a ping", {FRAME(0xC9, "a")}, "failed(1002)"},
    {"reserved bit on a continuation", {FRAME(0x01, "a"), FRAME(0xC0, "b")}, "failed(1002)"},
    {"opcode 3", {FRAME(0x83, "a")}, "failed(1002)"},
    {"opcode 4", {FRAME(0x84, "a")}, "failed(1002)"},
    {"opcode 5", {FRAME(0x85, "a")}, "failed(1002)"},
    {"opcode 6", {FRAME(0x86, "a")}, "failed(1002)"},
    {"opcode 7", {FRAME(0x87, "a")}, "failed(1002)"},
    {"opcode 11", {FRAME(0x8B, "a")}, "failed(1002)"},
    {"opcode 12", {FRAME(0x8C, "a")}, "failed(1002)"},
    {"opcode 13", {FRAME(0x8D, "a")}, "failed(1002)"},
    {"opcode 14", {FRAME(0x8E, "a")}, "failed(1002)"},
    {"opcode 15", {FRAME(0x8F, "a")}, "failed(1002)"},
    {"unknown opcode between fragments", {FRAME(0x01, "a"), FRAME(0x83, "")}, "failed(1002)"},
    {"fragmented ping", {FRAME(0x09, "a")}, "failed(1002)"},
    {"fragmented pong", {FRAME(0x0A, "a")}, "failed(1002)"},
    {"fragmented close", {FRAME(0x08, "\x03\xE8")}, "failed(1002)"},
    {"ping of 126", {FRAME(0x89, A125 "a")}, "failed(1002)"},
    {"pong of 126", {FRAME(0x8A, A125 "a")}, "failed(1002)"},
    {"close of 126", {FRAME(0x88, "\x03\xE8" A125)}, "failed(1002)"},
    {"ping of 2^16", {HEADER(0x89, 65536)}, "failed(1002)"},
    {"ping in 16-bit form", {FRAME_AS(FORM_16, 0x89, "a")}, "failed(1002)"},
    {"length 0 in 16 bits", {FRAME_AS(FORM_16, 0x81, "")}, "failed(1002)"},
    {"length 125 in 16 bits", {FRAME_AS(FORM_16, 0x81, A125)}, "failed(1002)"},
    {"length 126 in 16 bits", {FRAME_AS(FORM_16, 0x81, A125 "b")}, "text(" A125 "b)"},
    {"length 126 in 64 bits", {FRAME_AS(FORM_64, 0x81, A125 "b")}, "failed(1002)"},
    {"length 65535 in 64 bits", {RAW("\x82\xFF\0\0\0\0\0\0\xFF\xFF")}, "failed(1002)"},
    {"length with the high bit", {RAW("\x82\xFF\x80\0\0\0\0\x01\0\0")}, "failed(1002)"},
    {"length of all ones", {RAW("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}, "failed(1002)"},
    {"continuation of nothing", {FRAME(0x80, "a")}, "failed(1002)"},
    {"open continuation of nothing", {FRAME(0x00, "a")}, "failed(1002)"},
    {"continuation after a message",
     {FRAME(0x01, "a"), FRAME(0x80, "b"), FRAME(0x80, "c")},
     "text(ab) failed(1002)"},
    {"text inside a message", {FRAME(0x01, "a"), FRAME(0x81, "b")}, "failed(1002)"},
    {"binary inside a message", {FRAME(0x01, "a"), FRAME(0x02, "b")}, "failed(1002)"},
    {"text inside an empty message", {FRAME(0x01, ""), FRAME(0x01, "")}, "failed(1002)"},

    {"text in two-byte characters", {FRAME(0x81, "\xC3\xA9\xC3\xA9")}, "text(\xC3\xA9\xC3\xA9)"},
    {"a character over fragments",
     {FRAME(0x01, "\xF0"), FRAME(0x00, "\x9F\x98"), FRAME(0x80, "\x80")},
     "text(\xF0\x9F\x98\x80)"},
    {"a ping inside a character",
     {FRAME(0x01, "\xE2"), FRAME(0x89, "\x82"), FRAME(0x80, "\x82\xAC")},
     "ping(\x82) text(\xE2\x82\xAC)"},
    {"text that is not UTF-8",
     {FRAME(0x81,
            "a\xFF"
            "b")},
     "failed(1007)"},
    {"overlong", {FRAME(0x81, "\xC0\x80")}, "failed(1007)"},
    {"surrogate", {FRAME(0x81, "\xED\xA0\x80")}, "failed(1007)"},
    {"over U+10FFFF", {FRAME(0x81, "\xF4\x90\x80\x80")}, "failed(1007)"},
    {"character cut off", {FRAME(0x81, "a\xE2\x82")}, "failed(1007)"},
    {"character cut off in fragments", {FRAME(0x01, "a\xE2"), FRAME(0x80, "\x82")}, "failed(1007)"},
    {"character cut off before an empty end",
     {FRAME(0x01, "\xE2"), FRAME(0x80, "")},
     "failed(1007)"},
    {"bad text in an open fragment", {FRAME(0x01, "\xFF")}, "failed(1007)"},
    {"bad text over fragments", {FRAME(0x01, "\xE2"), FRAME(0x00, "a")}, "failed(1007)"},
    {"bad text in an open frame", {HEADER(0x81, 100), RAW("\x37\xFA\xDE")}, "failed(1007)"},
    {"a cut character leaves the next message alone",
     {FRAME(0x02, "\xE2"), FRAME(0x80, ""), FRAME(0x01, "a"), FRAME(0x80, "b")},
     "binary(\xE2) text(ab)"},

    {"empty close", {FRAME(0x88, "")}, "close(1005)"},
    {"close with a code", {FRAME(0x88, "\x03\xE9")}, "close(1001)"},
    {"close with a reason",
     {FRAME(0x88,
            "\x03\xE8"
            "bye \xC3\xA9")},
     "close(1000 bye \xC3\xA9)"},
    {"close of one byte", {FRAME(0x88, "\x03")}, "failed(1002)"},
    {"close with code 1005", {FRAME(0x88, "\x03\xED")}, "failed(1002)"},
    {"bad code and bad reason", {FRAME(0x88, "\0\0\xFF")}, "failed(1002)"},
    {"reason that is not UTF-8", {FRAME(0x88, "\x03\xE8\xFF")}, "failed(1007)"},
    {"reason cut off",
     {FRAME(0x88,
            "\x03\xE8"
            "a\xC3")},
     "failed(1007)"},
    {"frames after close",
     {FRAME(0x88, "\x03\xE8"), FRAME(0x81, "a"), FRAME(0x88, "")},
     "close(1000)"},
    {"frames after a failure",
     {FRAME(0x83, ""), FRAME(0x81, "a"), FRAME(0x88, "")},
     "failed(1002)"},

    {"announces the limit", {HEADER(0x82, MAX_MESSAGE)}, ""},
    {"announces too much", {HEADER(0x82, MAX_MESSAGE + 1)}, "failed(1009)"},
    {"announces 2^16", {HEADER(0x82, 65536)}, "failed(1009)"},
    {"announces 2^32 + 1", {HEADER(0x81, 0x100000001)}, "failed(1009)"},
    {"announces 2^63 - 1", {HEADER(0x81, INT64_MAX)}, "failed(1009)"},
    {"fragments announce the limit", {FRAME(0x01, "abc"), HEADER(0x80, MAX_MESSAGE - 3)}, ""},
    {"fragments announce too much",
     {FRAME(0x01, "abc"), HEADER(0x00, MAX_MESSAGE - 2)},
     "failed(1009)"},
    {"fragments announce 2^63 - 1", {FRAME(0x02, "abc"), HEADER(0x00, INT64_MAX)}, "failed(1009)"},
    {"a ping does not count",
     {FRAME(0x01, "abc"), FRAME(0x89, A125), HEADER(0x80, MAX_MESSAGE - 3)},
     "ping(" A125 ")"},
};

static void test_rules(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf input = {0};
    for (size_t p = 0; p < MAX_PARTS; p++) {
      const struct part *part = &rows[i].parts[p];
      if (part->len > 0 || part->bytes != NULL) write_part(&input, part);
    }
    expect_told(rows[i].name, buf_slice(&input), slice_str(rows[i].told), MAX_MESSAGE, 40, 9);
    buf_free(&input);
  }
}

// Every code in a close frame, against the list of RFC 6455 7.4 and IANA.
static void test_close_codes(void **state) {
  (void)state;
  static const int registered[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                   1009, 1010, 1011, 1012, 1013, 1014};
  size_t next = 0;
  for (int code = 0; code <= 5000; code++) {
    bool is_registered = next < sizeof registered / sizeof *registered && registered[next] == code;
    next += is_registered;
    bool is_valid = is_registered || (code >= 3000 && code <= 4999);
    char payload[3] = {(char)(code >> 8), (char)code, 'r'};
    for (size_t len = 2; len <= 3; len++) {
      struct buf input = {0}, told = {0};
      write_frame(&input, 0x88, slice_of(payload, len));
      if (is_valid)
        buf_printf(&told, "close(%d%s)", code, len == 3 ? " r" : "");
      else
        buf_append_str(&told, "failed(1002)");
      expect_told("close code", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 3, 4);
      buf_free(&told);
      buf_free(&input);
    }
  }
}

// Around each change of the length's form; the limit is the length itself.
static void test_lengths(void **state) {
  (void)state;
  static const uint32_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 65537, 300000};
  struct random random = {11};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t len = lengths[i];
    char *payload = mem_alloc(len + 1);
    for (uint8_t first = 0x81; first <= 0x82; first++) {
      uint64_t alphabet = first == 0x81 ? 128 : 256;
      for (size_t k = 0; k < len; k++) payload[k] = (char)random_below(&random, alphabet);
      struct buf input = {0}, told = {0};
      write_frame(&input, first, slice_of(payload, len));
      write_frame(&input, 0x89, slice_str("after"));
      buf_append_str(&told, first == 0x81 ? "text(" : "binary(");
      buf_append(&told, payload, len);
      buf_append_str(&told, ") ping(after)");
      expect_told("length", buf_slice(&input), buf_slice(&told), (uint32_t)len, 8, 40000);
      if (len > 0) {
        struct slice refused = slice_str("failed(1009)");
        expect_told("limit", buf_slice(&input), refused, (uint32_t)len - 1, 8, 40000);
      }
      buf_free(&told);
      buf_free(&input);
    }
    free(payload);
  }
}

// ---- as early as possible ------------------------------------------------

// Feeds byte by byte and expects the failure exactly after `bytes`.
static void expect_failure_after(struct slice input, size_t bytes, int code) {
  struct run run;
  run_begin(&run, MAX_MESSAGE);
  feed_cut(&run, input, 1, 1);
  char told[20];
  snprintf(told, sizeof told, "failed(%d)", code);
  struct slice got = buf_slice(&run.told);
  if (!slice_equal(got, slice_str(told)) || run.told_after != bytes) {
    fail_msg("%.*s after %zu bytes, not %s after %zu", (int)got.len, got.ptr, run.told_after, told,
             bytes);
  }
  run_end(&run);
}

static void test_headers_fail_early(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len, bad_after;
    int code;
  } heads[] = {
      {"\xC1\x81....a", 7, 1, 1002},
      {"\x83\x81....a", 7, 1, 1002},
      {"\x80\x81....a", 7, 1, 1002},
      {"\x09\x81....a", 7, 1, 1002},
      {"\x81\x01"
       "a",
       3, 2, 1002},
      {"\x89\xFE\x01\x00....", 8, 2, 1002},
      {"\x89\xFF\0\0\0\0\0\x01\0\0....", 14, 2, 1002},
      {"\x81\xFE\x00\x7D....", 8, 4, 1002},
      {"\x81\xFE\x03\xE9....", 8, 4, 1009},
      {"\x81\xFF\0\0\0\0\0\0\xFF\xFF....", 14, 10, 1002},
      {"\x81\xFF\0\0\0\0\0\x01\0\0....", 14, 10, 1009},
  };
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    expect_failure_after(slice_of(heads[i].bytes, heads[i].len), heads[i].bad_after, heads[i].code);
  }
}

static const struct {
  const char *bytes;
  size_t bad_at;  // index of the first byte that cannot be
} bad_text[] = {
    {"\x80", 0},
    {"\xC1\x81", 0},
    {"\xFE", 0},
    {"\xC3"
     "a",
     1},
    {"\xC3\xC3", 1},
    {"\xE0\x9F\xBF", 1},
    {"\xE2\x82"
     "a",
     2},
    {"\xED\xA0\x80", 1},
    {"\xF0\x8F\xBF\xBF", 1},
    {"\xF4\x90\x80", 1},
    {"\xF0\x9F\x98"
     "a",
     3},
    {"\xF0\x9F\xC3\xA9", 2},
};

// At each place in a frame that goes on far beyond, in a first fragment of
// `cut` bytes followed by another, if there is one.
static void test_text_fails_early(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_text / sizeof *bad_text; i++) {
    for (size_t before = 0; before <= 20; before++) {
      char text[64];
      memset(text, 'a', sizeof text);
      memcpy(text + before, bad_text[i].bytes, strlen(bad_text[i].bytes));
      size_t bad_after = before + bad_text[i].bad_at + 1;

      struct buf whole = {0};
      write_frame(&whole, 0x81, slice_of(text, sizeof text));
      expect_failure_after(buf_slice(&whole), 6 + bad_after, 1007);
      // In one piece that ends with the bad byte, too.
      expect_told("piece", slice_of(whole.data, 6 + bad_after), slice_str("failed(1007)"),
                  MAX_MESSAGE, 1, 1);
      expect_told("piece", slice_of(whole.data, 6 + bad_after - 1), slice_str(""), MAX_MESSAGE, 1,
                  1);
      buf_free(&whole);

      for (size_t cut = 0; cut < bad_after; cut++) {
        struct buf input = {0};
        write_frame(&input, 0x01, slice_of(text, cut));
        write_frame(&input, 0x80, slice_of(text + cut, sizeof text - cut));
        expect_failure_after(buf_slice(&input), 12 + bad_after, 1007);
        buf_free(&input);
      }
    }
  }
}

// Events come with the last byte they need, not later.
static void test_events_come_at_once(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x88, 0x89, 0x8A};
  for (size_t i = 0; i < sizeof firsts; i++) {
    for (size_t len = 0; len <= 4; len += 2) {
      struct run run;
      run_begin(&run, MAX_MESSAGE);
      struct buf input = {0};
      write_frame(&input, firsts[i], slice_of("\x03\xE8zz", len));
      // 0xE8 is not text, but a good close code.
      if (firsts[i] == 0x81) input.data[7] = (char)('x' ^ mask[1]);
      feed_cut(&run, buf_slice(&input), 1, 1);
      assert_true(buf_len(&run.told) > 0);
      assert_int_equal(run.told_after, buf_len(&input));
      buf_free(&input);
      run_end(&run);
    }
  }
}

// ---- memory --------------------------------------------------------------

static enum ws_event feed(struct ws_session *s, struct buf *input, struct ws_result *result) {
  size_t consumed;
  enum ws_event event =
      ws_session_feed(s, input->data + input->start, buf_len(input), &consumed, result);
  input->start += consumed;
  return event;
}

static bool is_inside(const struct buf *b, struct slice s) {
  return s.ptr >= b->data && s.ptr + s.len <= b->data + b->end;
}

// Whole frames are told from the input, and leave nothing behind.
static void test_whole_frames_are_not_copied(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x89, 0x8A};
  struct ws_session session;
  struct ws_result result;
  ws_session_init(&session, MAX_MESSAGE);
  struct buf input = {0};
  for (size_t i = 0; i < sizeof firsts; i++) write_frame(&input, firsts[i], slice_str("payload"));
  for (size_t i = 0; i < sizeof firsts; i++) {
    assert_int_not_equal(feed(&session, &input, &result), WS_EVENT_MORE);
    assert_true(is_inside(&input, result.data));
    assert_true(slice_equal(result.data, slice_str("payload")));
    assert_null(session.assembly);
  }
  assert_int_equal(feed(&session, &input, &result), WS_EVENT_MORE);
  buf_free(&input);
}

// A header in pieces does not keep a whole payload from being told in place,
// nor does a message under way keep a control frame from it.
static void test_whole_payloads_are_not_copied(void **state) {
  (void)state;
  struct ws_session session;
  struct ws_result result;
  size_t consumed;
  ws_session_init(&session, MAX_MESSAGE);
  struct buf input = {0};
  write_frame(&input, 0x81, slice_str("payload"));
  assert_int_equal(ws_session_feed(&session, input.data, 3, &consumed, &result), WS_EVENT_MORE);
  assert_non_null(session.assembly);
  input.start = 3;
  assert_int_equal(feed(&session, &input, &result), WS_EVENT_MESSAGE);
  assert_true(is_inside(&input, result.data));
  assert_null(session.assembly);

  buf_clear(&input);
  write_frame(&input, 0x01, slice_str("a"));
  write_frame(&input, 0x89, slice_str("ping"));
  write_frame(&input, 0x80, slice_str("b"));
  assert_int_equal(feed(&session, &input, &result), WS_EVENT_PING);
  assert_true(is_inside(&input, result.data));
  assert_int_equal(feed(&session, &input, &result), WS_EVENT_MESSAGE);
  assert_true(slice_equal(result.data, slice_str("ab")));
  assert_int_equal(feed(&session, &input, &result), WS_EVENT_MORE);
  assert_null(session.assembly);
  buf_free(&input);
}

static void test_idle_sessions_own_nothing(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x89, 0x8A, 0x88};
  assert_true(sizeof(struct ws_session) <= 32);
  for (size_t i = 0; i < sizeof firsts; i++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    struct buf input = {0};
    write_frame(&input, firsts[i], firsts[i] == 0x88 ? slice_str("\x03\xE8") : slice_str("abcdef"));
    for (unsigned cut = 1; cut < 10; cut++) {
      feed_cut(&run, buf_slice(&input), cut, 5);
      assert_null(run.session.assembly);  // feed_piece goes on until WS_EVENT_MORE
    }
    buf_free(&input);
    run_end(&run);
  }
}

static void test_is_finished_after_the_end(void **state) {
  (void)state;
  static const struct part ends[] = {FRAME(0x88, ""), FRAME(0x83, ""), FRAME(0x81, "\xFF")};
  for (size_t i = 0; i < 3; i++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    struct buf input = {0};
    write_frame(&input, 0x01, slice_str("open"));
    write_frame(&input, 0x80, slice_str(""));
    feed_piece(&run, buf_slice(&input));
    assert_false(run.session.is_finished);
    buf_clear(&input);
    write_part(&input, &ends[i]);
    feed_piece(&run, buf_slice(&input));
    assert_true(run.session.is_finished);
    assert_null(run.session.assembly);
    buf_free(&input);
    run_end(&run);
  }
}

// ---- at random -----------------------------------------------------------

static void random_payload(struct random *r, struct buf *out, bool is_text, size_t characters) {
  static const char *const texts[] = {
      "a", "Z", " ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  buf_clear(out);
  for (size_t i = 0; i < characters; i++) {
    if (is_text)
      buf_append_str(out, texts[random_below(r, 6)]);
    else
      buf_append_char(out, (char)random_below(r, 256));
  }
}

static void write_told(struct buf *told, const char *name, struct slice data) {
  buf_printf(told, "%s%s(", buf_len(told) > 0 ? " " : "", name);
  buf_append_slice(told, data);
  buf_append_char(told, ')');
}

static void write_random_ping(struct random *r, struct buf *input, struct buf *told) {
  struct buf payload = {0};
  bool is_ping = random_below(r, 2);
  random_payload(r, &payload, false, random_below(r, 126));
  write_frame(input, is_ping ? 0x89 : 0x8A, buf_slice(&payload));
  write_told(told, is_ping ? "ping" : "pong", buf_slice(&payload));
  buf_free(&payload);
}

// A message in random fragments, cut inside characters too, with pings between.
static void write_random_message(struct random *r, struct buf *input, struct buf *told) {
  struct buf payload = {0};
  bool is_text = random_below(r, 2), is_first = true, is_last;
  random_payload(r, &payload, is_text, random_below(r, random_below(r, 4) ? 30 : 240));
  struct slice rest = buf_slice(&payload);
  do {
    is_last = random_below(r, 3) != 0;
    size_t n = is_last ? rest.len : random_below(r, rest.len + 1);
    uint8_t opcode = !is_first ? WS_CONTINUATION : is_text ? WS_TEXT : WS_BINARY;
    write_frame(input, (uint8_t)((is_last ? 0x80 : 0) | opcode), slice_of(rest.ptr, n));
    rest = slice_of(rest.ptr + n, rest.len - n);
    is_first = false;
    if (!is_last && random_below(r, 2)) write_random_ping(r, input, told);
  } while (!is_last);
  write_told(told, is_text ? "text" : "binary", buf_slice(&payload));
  buf_free(&payload);
}

static void test_random_talk(void **state) {
  (void)state;
  struct random random = {6455};
  for (int i = 0; i < 500; i++) {
    struct buf input = {0}, told = {0};
    for (size_t n = 1 + random_below(&random, 8); n > 0; n--) {
      if (random_below(&random, 4) == 0)
        write_random_ping(&random, &input, &told);
      else
        write_random_message(&random, &input, &told);
    }
    expect_told("random talk", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 8, 200);
    buf_free(&told);
    buf_free(&input);
  }
}

// Damaged talk: whatever it means, it means the same however it comes.
static void test_random_damage(void **state) {
  (void)state;
  struct random random = {77};
  for (int i = 0; i < 3000; i++) {
    struct buf input = {0}, ignored = {0};
    for (size_t n = 1 + random_below(&random, 4); n > 0; n--) {
      write_random_message(&random, &input, &ignored);
    }
    for (size_t n = random_below(&random, 4); n > 0; n--) {
      input.data[random_below(&random, buf_len(&input))] = (char)random_below(&random, 256);
    }
    struct run whole;
    run_begin(&whole, MAX_MESSAGE);
    feed_piece(&whole, buf_slice(&input));
    expect_told("damage", buf_slice(&input), buf_slice(&whole.told), MAX_MESSAGE, 6, 50);
    run_end(&whole);
    buf_free(&ignored);
    buf_free(&input);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_close_codes),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_headers_fail_early),
      cmocka_unit_test(test_text_fails_early),
      cmocka_unit_test(test_events_come_at_once),
      cmocka_unit_test(test_whole_frames_are_not_copied),
      cmocka_unit_test(test_whole_payloads_are_not_copied),
      cmocka_unit_test(test_idle_sessions_own_nothing),
      cmocka_unit_test(test_is_finished_after_the_end),
      cmocka_unit_test(test_random_talk),
      cmocka_unit_test(test_random_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
