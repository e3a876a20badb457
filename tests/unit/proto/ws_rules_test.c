// What RFC 6455 asks of the receiving side of a WebSocket, a test for each rule,
// named after its section. A rule is fed whole, byte by byte, and in random
// pieces. UTF-8 has ws_text_test, the opening handshake ws_handshake_test.
#include "proto/ws_fixture.h"

// ---- the rules -----------------------------------------------------------

#define A123                                                       \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A125 A123 "aa"

static const struct talk_row rows[] = {
    {"5.6 text", {FRAME(0x81, "Hello")}, "text(Hello)"},
    {"5.6 binary", {FRAME(0x82, "\xFF\x80")}, "binary(\xFF\x80)"},
    {"5.6 empty text", {FRAME(0x81, "")}, "text()"},
    {"5.6 empty binary", {FRAME(0x82, "")}, "binary()"},
    {"6.2 many",
     {FRAME(0x81, "a"), FRAME(0x82, "b"), FRAME(0x81, "c")},
     "text(a) binary(b) text(c)"},
    {"5.5.2 ping", {FRAME(0x89, "p")}, "ping(p)"},
    {"5.5.2 empty ping", {FRAME(0x89, "")}, "ping()"},
    {"5.5.3 pong", {FRAME(0x8A, "q")}, "pong(q)"},
    {"5.5 longest ping", {FRAME(0x89, A125)}, "ping(" A125 ")"},

    {"5.4 fragments", {FRAME(0x01, "Hel"), FRAME(0x80, "lo")}, "text(Hello)"},
    {"5.4 binary fragments",
     {FRAME(0x02, "\xFF"), FRAME(0x00, "b"), FRAME(0x80, "\xFE")},
     "binary(\xFF"
     "b\xFE)"},
    {"5.4 empty fragments", {FRAME(0x01, ""), FRAME(0x00, ""), FRAME(0x80, "")}, "text()"},
    {"5.4 empty last fragment", {FRAME(0x01, "ab"), FRAME(0x80, "")}, "text(ab)"},
    {"5.4 control frames between fragments",
     {FRAME(0x01, "a"), FRAME(0x89, "1"), FRAME(0x00, "b"), FRAME(0x8A, "2"), FRAME(0x80, "c")},
     "ping(1) pong(2) text(abc)"},
    {"5.4 messages after fragments",
     {FRAME(0x02, "\x80"), FRAME(0x80, "\x81"), FRAME(0x81, "x"), FRAME(0x01, "y"),
      FRAME(0x80, "z")},
     "binary(\x80\x81) text(x) text(yz)"},
    {"5.4 close between fragments",
     {FRAME(0x01, "a"), FRAME(0x88, "\x03\xE8"), FRAME(0x80, "b")},
     "close(1000)"},
    {"5.4 only fragments", {FRAME(0x01, "a"), FRAME(0x00, "b")}, ""},

    {"5.1 unmasked", {FRAME_AS(FORM_UNMASKED, 0x81, "a")}, "failed(1002)"},
    {"5.1 unmasked ping", {FRAME_AS(FORM_UNMASKED, 0x89, "")}, "failed(1002)"},
    {"5.1 unmasked empty", {FRAME_AS(FORM_UNMASKED, 0x82, "")}, "failed(1002)"},
    {"5.1 unmasked close", {FRAME_AS(FORM_UNMASKED, 0x88, "\x03\xE8")}, "failed(1002)"},
    {"5.1 unmasked continuation",
     {FRAME(0x01, "a"), FRAME_AS(FORM_UNMASKED, 0x80, "b")},
     "failed(1002)"},
    {"5.7 the RFC's masked text",
     {RAW("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
     "text(Hello)"},
    {"5.7 the RFC's masked pong",
     {RAW("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")},
     "pong(Hello)"},
    {"5.3 a mask of zeros", {RAW("\x81\x82\0\0\0\0Hi")}, "text(Hi)"},
    {"5.3 a mask of ones", {RAW("\x82\x82\xFF\xFF\xFF\xFF\x00\x85")}, "binary(\xFFz)"},
    {"5.1 unmasked after good",
     {FRAME(0x81, "a"), FRAME_AS(FORM_UNMASKED, 0x81, "b")},
     "text(a) failed(1002)"},
    {"5.5 fragmented ping", {FRAME(0x09, "a")}, "failed(1002)"},
    {"5.5 fragmented pong", {FRAME(0x0A, "a")}, "failed(1002)"},
    {"5.5 fragmented close", {FRAME(0x08, "\x03\xE8")}, "failed(1002)"},
    {"5.5 ping of 126", {FRAME(0x89, A125 "a")}, "failed(1002)"},
    {"5.5 pong of 126", {FRAME(0x8A, A125 "a")}, "failed(1002)"},
    {"5.5 close of 126", {FRAME(0x88, "\x03\xE8" A125)}, "failed(1002)"},
    {"5.5 ping of 2^16", {HEADER(0x89, 65536)}, "failed(1002)"},
    {"5.2 ping in 16-bit form", {FRAME_AS(FORM_16, 0x89, "a")}, "failed(1002)"},
    {"5.2 length 0 in 16 bits", {FRAME_AS(FORM_16, 0x81, "")}, "failed(1002)"},
    {"5.2 length 125 in 16 bits", {FRAME_AS(FORM_16, 0x81, A125)}, "failed(1002)"},
    {"5.2 length 126 in 16 bits", {FRAME_AS(FORM_16, 0x81, A125 "b")}, "text(" A125 "b)"},
    {"5.2 length 126 in 64 bits", {FRAME_AS(FORM_64, 0x81, A125 "b")}, "failed(1002)"},
    {"5.2 length 65535 in 64 bits", {RAW("\x82\xFF\0\0\0\0\0\0\xFF\xFF")}, "failed(1002)"},
    {"5.2 length with the high bit", {RAW("\x82\xFF\x80\0\0\0\0\x01\0\0")}, "failed(1002)"},
    {"5.2 length of all ones", {RAW("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")}, "failed(1002)"},
    {"5.4 continuation after a ping", {FRAME(0x89, ""), FRAME(0x80, "a")}, "ping() failed(1002)"},
    {"5.4 a message within the fragments of another",
     {FRAME(0x01, "a"), FRAME(0x00, "b"), FRAME(0x81, "c"), FRAME(0x80, "d")},
     "failed(1002)"},
    {"5.4 fragmented message within another", {FRAME(0x02, "a"), FRAME(0x01, "b")}, "failed(1002)"},
    {"5.4 continuation of nothing", {FRAME(0x80, "a")}, "failed(1002)"},
    {"5.4 open continuation of nothing", {FRAME(0x00, "a")}, "failed(1002)"},
    {"5.4 continuation after a message",
     {FRAME(0x01, "a"), FRAME(0x80, "b"), FRAME(0x80, "c")},
     "text(ab) failed(1002)"},
    {"5.4 text inside a message", {FRAME(0x01, "a"), FRAME(0x81, "b")}, "failed(1002)"},
    {"5.4 binary inside a message", {FRAME(0x01, "a"), FRAME(0x02, "b")}, "failed(1002)"},
    {"5.4 text inside an empty message", {FRAME(0x01, ""), FRAME(0x01, "")}, "failed(1002)"},

    {"5.6 text in two-byte characters",
     {FRAME(0x81, "\xC3\xA9\xC3\xA9")},
     "text(\xC3\xA9\xC3\xA9)"},
    {"5.6 a character over fragments",
     {FRAME(0x01, "\xF0"), FRAME(0x00, "\x9F\x98"), FRAME(0x80, "\x80")},
     "text(\xF0\x9F\x98\x80)"},
    {"5.6 a ping inside a character",
     {FRAME(0x01, "\xE2"), FRAME(0x89, "\x82"), FRAME(0x80, "\x82\xAC")},
     "ping(\x82) text(\xE2\x82\xAC)"},
    {"8.1 text that is not UTF-8",
     {FRAME(0x81,
            "a\xFF"
            "b")},
     "failed(1007)"},
    {"8.1 overlong", {FRAME(0x81, "\xC0\x80")}, "failed(1007)"},
    {"8.1 surrogate", {FRAME(0x81, "\xED\xA0\x80")}, "failed(1007)"},
    {"8.1 over U+10FFFF", {FRAME(0x81, "\xF4\x90\x80\x80")}, "failed(1007)"},
    {"8.1 character cut off", {FRAME(0x81, "a\xE2\x82")}, "failed(1007)"},
    {"8.1 character cut off in fragments",
     {FRAME(0x01, "a\xE2"), FRAME(0x80, "\x82")},
     "failed(1007)"},
    {"8.1 character cut off before an empty end",
     {FRAME(0x01, "\xE2"), FRAME(0x80, "")},
     "failed(1007)"},
    {"8.1 bad text in an open fragment", {FRAME(0x01, "\xFF")}, "failed(1007)"},
    {"8.1 bad text over fragments", {FRAME(0x01, "\xE2"), FRAME(0x00, "a")}, "failed(1007)"},
    {"8.1 bad text in an open frame", {HEADER(0x81, 100), RAW("\x37\xFA\xDE")}, "failed(1007)"},
    {"8.1 a cut character leaves the next message alone",
     {FRAME(0x02, "\xE2"), FRAME(0x80, ""), FRAME(0x01, "a"), FRAME(0x80, "b")},
     "binary(\xE2) text(ab)"},

    {"5.5.1 empty close", {FRAME(0x88, "")}, "close(1005)"},
    {"5.5.1 close with a code", {FRAME(0x88, "\x03\xE9")}, "close(1001)"},
    {"5.5.1 close with a reason",
     {FRAME(0x88,
            "\x03\xE8"
            "bye \xC3\xA9")},
     "close(1000 bye \xC3\xA9)"},
    {"5.5.1 longest reason", {FRAME(0x88, "\x03\xE8" A123)}, "close(1000 " A123 ")"},
    {"5.5.1 close of one byte", {FRAME(0x88, "\x03")}, "failed(1002)"},
    {"7.4.1 close with code 1005", {FRAME(0x88, "\x03\xED")}, "failed(1002)"},
    {"5.5.1 bad code and bad reason", {FRAME(0x88, "\0\0\xFF")}, "failed(1002)"},
    {"8.1 reason that is not UTF-8", {FRAME(0x88, "\x03\xE8\xFF")}, "failed(1007)"},
    {"8.1 reason cut off",
     {FRAME(0x88,
            "\x03\xE8"
            "a\xC3")},
     "failed(1007)"},
    {"7.1.1 ping after close", {FRAME(0x88, ""), FRAME(0x89, "a")}, "close(1005)"},
    {"7.1.1 broken frame after close", {FRAME(0x88, ""), FRAME(0xFF, "a")}, "close(1005)"},
    {"7.1.1 frames after close",
     {FRAME(0x88, "\x03\xE8"), FRAME(0x81, "a"), FRAME(0x88, "")},
     "close(1000)"},
    {"7.1.7 frames after a failure",
     {FRAME(0x83, ""), FRAME(0x81, "a"), FRAME(0x88, "")},
     "failed(1002)"},

    {"10.4 announces the limit", {HEADER(0x82, MAX_MESSAGE)}, ""},
    {"10.4 announces too much", {HEADER(0x82, MAX_MESSAGE + 1)}, "failed(1009)"},
    {"10.4 announces 2^16", {HEADER(0x82, 65536)}, "failed(1009)"},
    {"10.4 announces 2^32 + 1", {HEADER(0x81, 0x100000001)}, "failed(1009)"},
    {"10.4 announces 2^63 - 1", {HEADER(0x81, INT64_MAX)}, "failed(1009)"},
    {"10.4 fragments announce the limit", {FRAME(0x01, "abc"), HEADER(0x80, MAX_MESSAGE - 3)}, ""},
    {"10.4 fragments announce too much",
     {FRAME(0x01, "abc"), HEADER(0x00, MAX_MESSAGE - 2)},
     "failed(1009)"},
    {"10.4 fragments announce 2^63 - 1",
     {FRAME(0x02, "abc"), HEADER(0x00, INT64_MAX)},
     "failed(1009)"},
    {"10.4 many empty fragments do not count",
     {FRAME(0x01, ""), FRAME(0x00, ""), FRAME(0x00, ""), HEADER(0x80, MAX_MESSAGE)},
     ""},
    {"10.4 a ping does not count",
     {FRAME(0x01, "abc"), FRAME(0x89, A125), HEADER(0x80, MAX_MESSAGE - 3)},
     "ping(" A125 ")"},
};
enum { ROWS = sizeof rows / sizeof *rows };

// ---- first bytes ---------------------------------------------------------

// Frames may stand in these places.
static const struct {
  const char *name;
  struct part before;
  const char *told;
} places[] = {
    {"at the start", {0}, ""},
    {"after a message", FRAME(0x81, "a"), "text(a) "},
    {"after a ping", FRAME(0x89, ""), "ping() "},
    {"inside a message", FRAME(0x01, "a"), ""},
};

// A frame with these first bits is refused in every place, short or long.
static void expect_refused(uint8_t first) {
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    for (size_t len = 0; len <= 2; len++) {
      struct buf input = {0}, told = {0};
      if (places[i].before.bytes != NULL) write_part(&input, &places[i].before);
      write_frame(&input, first, slice_of("\x03\xE8", len));
      buf_printf(&told, "%sfailed(1002)", places[i].told);
      expect_told(places[i].name, buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 4, 3);
      buf_free(&told);
      buf_free(&input);
    }
  }
}

static void test_reserved_opcodes(void **state) {
  (void)state;
  for (uint8_t opcode = 0; opcode < 16; opcode++) {
    if (opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG)) continue;
    expect_refused(opcode);
    expect_refused(0x80 | opcode);
  }
}

static void test_reserved_bits(void **state) {
  (void)state;
  for (uint8_t bits = 0x10; bits <= 0x70; bits += 0x10) {
    for (uint8_t opcode = 0; opcode < 16; opcode++) expect_refused(0x80 | bits | opcode);
  }
}

static void test_fragmented_control_frames(void **state) {
  (void)state;
  for (int opcode = WS_CLOSE; opcode <= WS_PONG; opcode++) expect_refused((uint8_t)opcode);
}

// ---- lengths -------------------------------------------------------------

static char *make_payload(size_t len) {
  char *payload = mem_alloc(len + 1);
  for (size_t i = 0; i < len; i++) payload[i] = (char)(i * 7 % 127);
  return payload;
}

// Around each change of the length's form; the limit is the length itself.
static void test_lengths(void **state) {
  (void)state;
  static const uint32_t lengths[] = {0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 300000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t len = lengths[i];
    char *payload = make_payload(len);
    for (uint8_t first = 0x81; first <= 0x82; first++) {
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

// A length in a longer form than it needs, before a byte of the payload.
static void test_longer_forms(void **state) {
  (void)state;
  static const enum form forms[] = {FORM_16, FORM_64};
  for (size_t f = 0; f < 2; f++) {
    for (uint64_t length = 0; length <= 65535; length += length < 130 || length > 65530 ? 1 : 257) {
      struct buf input = {0};
      bool is_shortest = forms[f] == FORM_16 && length > 125;
      write_header(&input, 0x82, length, forms[f]);
      expect_told("form", buf_slice(&input), slice_str(is_shortest ? "" : "failed(1002)"), 65535, 3,
                  3);
      buf_free(&input);
    }
  }
}

// Up to 16 MiB, in one frame and in many, cut as a slow line would.
static void test_large_messages(void **state) {
  (void)state;
  enum { LARGE = 16 * 1024 * 1024 };
  static const struct {
    size_t bytes, frame, piece;
  } sizes[] = {{65536, 65536, 1},      {65536, 64, 64},       {65536, 1, 256},
               {1 << 20, 1 << 20, 64}, {1 << 20, 1024, 1024}, {LARGE, LARGE, 1024},
               {LARGE, LARGE, 65536},  {LARGE, 65536, 1000},  {LARGE, LARGE, 2 * LARGE}};
  char *payload = make_payload(LARGE);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct buf input = {0}, told = {0};
    size_t bytes = sizes[i].bytes;
    for (size_t at = 0; at < bytes; at += sizes[i].frame) {
      bool is_last = at + sizes[i].frame >= bytes;
      write_frame(&input, (uint8_t)((is_last ? 0x80 : 0) | (at == 0 ? WS_TEXT : 0)),
                  slice_of(payload + at, sizes[i].frame));
    }
    buf_append_str(&told, "text(");
    buf_append(&told, payload, bytes);
    buf_append_char(&told, ')');
    struct run run;
    run_begin(&run, LARGE);
    feed_pieces(&run, buf_slice(&input), sizes[i].piece);
    run_end_expecting(&run, "large", i, buf_slice(&told));
    buf_free(&told);
    buf_free(&input);
  }
  free(payload);
}

static void test_sizes_of_control_frames(void **state) {
  (void)state;
  char *payload = make_payload(300);
  for (size_t len = 0; len <= 300; len++) {
    for (uint8_t first = 0x89; first <= 0x8A; first++) {
      struct buf input = {0}, told = {0};
      write_frame(&input, first, slice_of(payload, len));
      buf_append_str(&told, len > 125 ? "failed(1002" : first == 0x89 ? "ping(" : "pong(");
      if (len <= 125) buf_append(&told, payload, len);
      buf_append_char(&told, ')');
      expect_told("control frame", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 6, 60);
      buf_free(&told);
      buf_free(&input);
    }
  }
  free(payload);
}

// ---- masks ---------------------------------------------------------------

static void test_masks(void **state) {
  (void)state;
  struct random random = {53};
  for (int i = 0; i < 200; i++) {
    uint8_t key[4];
    for (size_t k = 0; k < 4; k++) key[k] = (uint8_t)random_below(&random, 256);
    struct buf input = {0};
    buf_append_str(&input, "\x82\x8B");
    buf_append(&input, key, 4);
    for (size_t k = 0; k < 11; k++) buf_append_char(&input, (char)("octet j k z"[k] ^ key[k % 4]));
    expect_told("mask", buf_slice(&input), slice_str("binary(octet j k z)"), MAX_MESSAGE, 8, 5);
    buf_free(&input);
  }
}

// ---- fragments -----------------------------------------------------------

static void write_fragment(struct buf *input, struct slice text, size_t from, size_t to) {
  uint8_t fin = to == text.len ? 0x80 : 0, opcode = from == 0 ? WS_TEXT : WS_CONTINUATION;
  write_frame(input, fin | opcode, slice_of(text.ptr + from, to - from));
}

// In three fragments, cut at every two places, with control frames between.
static void test_every_fragmentation(void **state) {
  (void)state;
  struct slice text = slice_str("a\xC3\xA9-\xE2\x82\xAC-\xF0\x9F\x98\x80z");
  struct buf told = {0};
  buf_append_str(&told, "ping(between) pong() text(");
  buf_append_slice(&told, text);
  buf_append_char(&told, ')');
  for (size_t first = 1; first < text.len; first++) {
    for (size_t second = first; second < text.len; second++) {
      struct buf input = {0};
      write_fragment(&input, text, 0, first);
      write_frame(&input, 0x89, slice_str("between"));
      write_fragment(&input, text, first, second);
      write_frame(&input, 0x8A, slice_str(""));
      write_fragment(&input, text, second, text.len);
      expect_told("fragments", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 6, 7);
      buf_free(&input);
    }
  }
  buf_free(&told);
}

// ---- close codes ---------------------------------------------------------

// Every code in a close frame, against the list of RFC 6455 7.4 and IANA.
static void test_close_codes(void **state) {
  (void)state;
  static const int registered[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                   1009, 1010, 1011, 1012, 1013, 1014};
  size_t next = 0;
  for (int code = 0; code <= 65535; code++) {
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

// ---- as early as possible ------------------------------------------------

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

static const struct CMUnitTest others[] = {
    {"5.2 reserved opcodes in every place", test_reserved_opcodes, NULL, NULL, NULL},
    {"5.2 reserved bits in every place", test_reserved_bits, NULL, NULL, NULL},
    {"5.2 every form of length", test_lengths, NULL, NULL, NULL},
    {"5.2 only the shortest form", test_longer_forms, NULL, NULL, NULL},
    {"5.3 every mask", test_masks, NULL, NULL, NULL},
    {"5.4 every fragmentation", test_every_fragmentation, NULL, NULL, NULL},
    {"5.5 fragmented control frames in every place", test_fragmented_control_frames, NULL, NULL,
     NULL},
    {"5.5 every size of control frames", test_sizes_of_control_frames, NULL, NULL, NULL},
    {"6.2 large messages, cut in many ways", test_large_messages, NULL, NULL, NULL},
    {"7.4 every close code", test_close_codes, NULL, NULL, NULL},
    {"10.7 headers fail at the first byte that breaks a rule", test_headers_fail_early, NULL, NULL,
     NULL},
};
enum { OTHERS = sizeof others / sizeof *others };

int main(void) {
  struct CMUnitTest tests[ROWS + OTHERS];
  for (size_t i = 0; i < ROWS; i++) {
    tests[i] = (struct CMUnitTest){rows[i].name, test_talk_row, NULL, NULL, (void *)&rows[i]};
  }
  memcpy(tests + ROWS, others, sizeof others);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
