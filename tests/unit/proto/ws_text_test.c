// Text messages (RFC 6455 sections 5.6 and 8.1; RFC 3629): a test for each kind of
// bytes. What is valid arrives, however it is cut and fragmented; what is not
// fails the session at its first bad byte, though the frame goes on. The rows
// follow Markus Kuhn's decoder stress test.
#include "proto/ws_fixture.h"

enum { CUT_SHORT = -1, VALID = -2 };

static const struct row {
  const char *name;
  const char *text;
  int bad_at;  // index of the first byte that cannot be; CUT_SHORT: only the end is too early
} rows[] = {
    {"valid: one of each length", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", VALID},
    {"valid: Greek", "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5", VALID},
    {"valid: first of 2 bytes, U+0080", "\xC2\x80", VALID},
    {"valid: first of 3 bytes, U+0800", "\xE0\xA0\x80", VALID},
    {"valid: first of 4 bytes, U+10000", "\xF0\x90\x80\x80", VALID},
    {"valid: last of 1 byte, U+007F", "\x7F", VALID},
    {"valid: last of 2 bytes, U+07FF", "\xDF\xBF", VALID},
    {"valid: last of 3 bytes, U+FFFF", "\xEF\xBF\xBF", VALID},
    {"valid: last of all, U+10FFFF", "\xF4\x8F\xBF\xBF", VALID},
    {"valid: below the surrogates, U+D7FF", "\xED\x9F\xBF", VALID},
    {"valid: above the surrogates, U+E000", "\xEE\x80\x80", VALID},
    {"valid: replacement character, U+FFFD", "\xEF\xBF\xBD", VALID},
    {"valid: byte order mark", "\xEF\xBB\xBFz", VALID},
    {"valid: non-character U+FFFE", "\xEF\xBF\xBE", VALID},
    {"valid: non-character U+FDD0", "\xEF\xB7\x90", VALID},
    {"valid: non-character U+1FFFE", "\xF0\x9F\xBF\xBE", VALID},
    {"valid: non-character U+8FFFF", "\xF2\x8F\xBF\xBF", VALID},
    {"valid: non-character U+10FFFE", "\xF4\x8F\xBF\xBE", VALID},
    {"valid: eight ASCII bytes and more",
     "12345678\xC3\xA4"
     "12345678abcdefgh",
     VALID},

    {"continuation alone: 80", "\x80", 0},
    {"continuation alone: BF", "\xBF", 0},
    {"continuation alone: behind a character", "\xC3\xA9\xA9", 2},
    {"continuation missing: C3 a",
     "\xC3"
     "a",
     1},
    {"continuation missing: C3 C3", "\xC3\xC3", 1},
    {"continuation missing: E2 82 a",
     "\xE2\x82"
     "a",
     2},
    {"continuation missing: E2 E2", "\xE2\xE2", 1},
    {"continuation missing: F0 9F 98 a",
     "\xF0\x9F\x98"
     "a",
     3},
    {"continuation missing: F0 9F C3", "\xF0\x9F\xC3\xA9", 2},
    {"continuation missing: DF space", "\xDF ", 1},
    {"continuation missing: EF space", "\xEF ", 1},
    {"continuation missing: F4 space", "\xF4 ", 1},
    {"impossible: FE", "\xFE", 0},
    {"impossible: FF", "\xFF", 0},
    {"impossible: F5", "\xF5\x80\x80\x80", 0},
    {"five bytes", "\xF8\x88\x80\x80\x80", 0},
    {"five bytes, the last", "\xFB\xBF\xBF\xBF\xBF", 0},
    {"six bytes", "\xFC\x84\x80\x80\x80\x80", 0},
    {"six bytes, the last", "\xFD\xBF\xBF\xBF\xBF\xBF", 0},
    {"over U+10FFFF: U+110000", "\xF4\x90\x80\x80", 1},
    {"over U+10FFFF: U+1FFFFF", "\xF7\xBF\xBF\xBF", 0},
    {"overlong NUL in 2 bytes", "\xC0\x80", 0},
    {"overlong NUL in 3 bytes", "\xE0\x80\x80", 1},
    {"overlong NUL in 4 bytes", "\xF0\x80\x80\x80", 1},
    {"overlong slash in 2 bytes", "\xC0\xAF", 0},
    {"overlong slash in 3 bytes", "\xE0\x80\xAF", 1},
    {"overlong slash in 4 bytes", "\xF0\x80\x80\xAF", 1},
    {"overlong slash in 5 bytes", "\xF8\x80\x80\x80\xAF", 0},
    {"overlong slash in 6 bytes", "\xFC\x80\x80\x80\x80\xAF", 0},
    {"overlong: the most in 2 bytes", "\xC1\xBF", 0},
    {"overlong: the most in 3 bytes", "\xE0\x9F\xBF", 1},
    {"overlong: the most in 4 bytes", "\xF0\x8F\xBF\xBF", 1},
    {"surrogate: U+D800", "\xED\xA0\x80", 1},
    {"surrogate: U+DBFF", "\xED\xAF\xBF", 1},
    {"surrogate: U+DC00", "\xED\xB0\x80", 1},
    {"surrogate: U+DFFF", "\xED\xBF\xBF", 1},
    {"surrogates as a pair", "\xED\xA0\x80\xED\xB0\x80", 1},
    {"a good text, and then not",
     "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xED\xA0\x80"
     "edited",
     8},

    {"cut short: C3", "\xC3", CUT_SHORT},
    {"cut short: E2", "\xE2", CUT_SHORT},
    {"cut short: E2 82", "\xE2\x82", CUT_SHORT},
    {"cut short: F0", "\xF0", CUT_SHORT},
    {"cut short: F0 9F", "\xF0\x9F", CUT_SHORT},
    {"cut short: F0 9F 98", "\xF0\x9F\x98", CUT_SHORT},
    {"cut short: behind a character", "\xC3\xA9\xE2\x82", CUT_SHORT},
};
enum { ROWS = sizeof rows / sizeof *rows };

// The text as fragments of `first`, one byte, and the rest.
static void write_fragments(struct buf *out, struct slice text, size_t first) {
  size_t second = first < text.len ? first + 1 : first;
  write_frame(out, WS_TEXT, slice_of(text.ptr, first));
  write_frame(out, WS_CONTINUATION, slice_of(text.ptr + first, second - first));
  write_frame(out, 0x80, slice_of(text.ptr + second, text.len - second));
}

// Whole and in fragments: the message, or, for text that is cut short, its end
// fails.
static void expect_at_end(const struct row *row, struct slice text) {
  struct buf told = {0};
  buf_append_str(&told, row->bad_at == VALID ? "text(" : "failed(1007");
  if (row->bad_at == VALID) buf_append_slice(&told, text);
  buf_append_char(&told, ')');
  for (size_t cut = 0; cut <= text.len; cut++) {
    struct buf whole = {0}, fragments = {0};
    write_frame(&whole, 0x81, text);
    write_fragments(&fragments, text, cut);
    expect_told("whole", buf_slice(&whole), buf_slice(&told), MAX_MESSAGE, 8, 5);
    expect_told("fragments", buf_slice(&fragments), buf_slice(&told), MAX_MESSAGE, 8, 5);
    buf_free(&whole);
    buf_free(&fragments);
  }
  buf_free(&told);
}

// In a frame that goes on far beyond, and in a first fragment of `cut` bytes
// followed by another: the byte at `bad_at` is the last that is read.
static void expect_at_once(struct slice text, size_t bad_at) {
  struct buf whole = {0};
  write_frame(&whole, 0x81, text);
  size_t bad_after = bad_at + 1, header = buf_len(&whole) - text.len;
  expect_failure_after(buf_slice(&whole), header + bad_after, 1007);
  // In one piece that ends with the bad byte, too.
  expect_told("piece", slice_of(whole.data, header + bad_after), slice_str("failed(1007)"),
              MAX_MESSAGE, 1, 1);
  expect_told("piece", slice_of(whole.data, header + bad_at), slice_str(""), MAX_MESSAGE, 1, 1);
  expect_told("whole", buf_slice(&whole), slice_str("failed(1007)"), MAX_MESSAGE, 4, 9);
  buf_free(&whole);
  for (size_t cut = 0; cut < bad_after; cut++) {
    struct buf input = {0};
    write_frame(&input, 0x01, slice_of(text.ptr, cut));
    write_frame(&input, 0x80, slice_of(text.ptr + cut, text.len - cut));
    expect_failure_after(buf_slice(&input), 2 * header + bad_after, 1007);
    buf_free(&input);
  }
}

// Behind so many other characters, because eight bytes are looked at together.
static void test_row(void **state) {
  const struct row *row = *state;
  size_t len = strlen(row->text);
  for (size_t before = 0; before <= 20; before++) {
    char text[100];
    memset(text, 'a', sizeof text);
    memcpy(text + before, row->text, len);
    if (row->bad_at < 0)
      expect_at_end(row, slice_of(text, before + len));
    else
      expect_at_once(slice_of(text, sizeof text), before + (size_t)row->bad_at);
  }
}

int main(void) {
  struct CMUnitTest tests[ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    tests[i] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, (void *)&rows[i]};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
