// UTF-8 validation against a decoder written the other way round: it decodes
// the bits first and then asks whether the value needed that many bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "random.h"

// Encodes by the bit pattern of `bytes` bytes, whether that is allowed or not.
static void encode(uint32_t value, int bytes, char *out) {
  static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (int i = bytes - 1; i > 0; i--, value >>= 6) out[i] = (char)(0x80 | (value & 0x3F));
  out[0] = (char)(marks[bytes] | value);
}

static int bytes_needed(uint32_t value) {
  return value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
}

// The model: is the run of bytes whole characters of valid UTF-8?
static bool model_is_valid(const unsigned char *p, size_t len) {
  while (len > 0) {
    size_t bytes = p[0] < 0x80         ? 1
                   : (p[0] >> 5) == 6  ? 2
                   : (p[0] >> 4) == 14 ? 3
                   : (p[0] >> 3) == 30 ? 4
                                       : 0;
    if (bytes == 0 || bytes > len) return false;
    uint32_t value = bytes == 1 ? p[0] : p[0] & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
      if ((p[i] & 0xC0) != 0x80) return false;
      value = value << 6 | (p[i] & 0x3F);
    }
    if (bytes_needed(value) != (int)bytes || value > 0x10FFFF) return false;
    if (value >= 0xD800 && value <= 0xDFFF) return false;
    p += bytes;
    len -= bytes;
  }
  return true;
}

// Every bit pattern of every length: right only in its shortest form, and never
// a surrogate or over U+10FFFF.
static void test_every_pattern(void **state) {
  (void)state;
  static const uint32_t limits[] = {0, 0x80, 0x800, 0x10000, 0x200000};
  for (int bytes = 1; bytes <= 4; bytes++) {
    for (uint32_t value = 0; value < limits[bytes]; value++) {
      char text[4];
      encode(value, bytes, text);
      bool expected = bytes_needed(value) == bytes && value <= 0x10FFFF &&
                      !(value >= 0xD800 && value <= 0xDFFF);
      if (utf8_is_valid(slice_of(text, (size_t)bytes)) != expected) {
        fail_msg("U+%X in %d bytes", value, bytes);
      }
    }
  }
}

// Every two and three bytes there are, valid or not.
static void test_every_short_string(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 1u << 24; n++) {
    const unsigned char text[] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                  (unsigned char)n};
    size_t len = n < 1u << 16 ? 2 : 3;
    const unsigned char *p = text + 3 - len;
    if (utf8_is_valid(slice_of((const char *)p, len)) != model_is_valid(p, len)) {
      fail_msg("%06x", n);
    }
  }
}

static const struct row {
  const char *text;
  bool is_valid;
  size_t fails_at;  // the byte at which an invalid text is refused; SIZE_MAX: only cut short
} rows[] = {
    {"", true, 0},
    {"plain ASCII, longer than eight bytes", true, 0},
    {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true, 0},
    {"12345678\xc3\xa4"
     "2345678\xf0\x9f\x8c\x8a",
     true, 0},
    {"\xef\xbf\xbf\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", true, 0},
    {"\xef\xbb\xbf"
     "byte order mark",
     true, 0},
    {"\x80", false, 0},
    {"\xbf", false, 0},
    {"a\xff", false, 1},
    {"\xfe", false, 0},
    {"\xc0\xaf", false, 0},
    {"\xc1\xbf", false, 0},
    {"\xc2\x41", false, 1},
    {"\xc2\xc2", false, 1},
    {"\xe0\x9f\xbf", false, 1},
    {"\xe1\x80\x41", false, 2},
    {"\xed\xa0\x80", false, 1},
    {"\xed\xbf\xbf", false, 1},
    {"\xf0\x8f\xbf\xbf", false, 1},
    {"\xf1\x80\x80\xff", false, 3},
    {"\xf4\x90\x80\x80", false, 1},
    {"\xf5\x80\x80\x80", false, 0},
    {"\xf8\x88\x80\x80\x80", false, 0},
    {"12345678"
     "1234567\x80",
     false, 15},
    {"\xc3\xa4\xc3", false, SIZE_MAX},
    {"\xe2\x82", false, SIZE_MAX},
    {"\xf0\x9f\x8c", false, SIZE_MAX},
};

// Each row whole, cut in two at every place, and byte by byte.
static void test_rows_at_every_split(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *text = rows[i].text;
    size_t len = strlen(text);
    assert_int_equal(utf8_is_valid(slice_of(text, len)), rows[i].is_valid);
    for (size_t cut = 0; cut <= len; cut++) {
      struct utf8 s = {0};
      bool is_valid = utf8_feed(&s, slice_of(text, cut)) &&
                      utf8_feed(&s, slice_of(text + cut, len - cut)) && utf8_is_complete(&s);
      assert_int_equal(is_valid, rows[i].is_valid);
    }
    struct utf8 s = {0};
    size_t at = 0;
    while (at < len && utf8_feed(&s, slice_of(text + at, 1))) at++;
    bool is_cut_short = rows[i].fails_at == SIZE_MAX;
    assert_int_equal(at, rows[i].is_valid || is_cut_short ? len : rows[i].fails_at);
    if (at == len) assert_int_equal(utf8_is_complete(&s), !is_cut_short);
  }
}

// Long random text, some of it damaged, fed in random pieces.
static void test_random_text_in_random_pieces(void **state) {
  (void)state;
  struct random r = {3};
  for (int round = 0; round < 20000; round++) {
    char text[200];
    size_t len = 0;
    while (len < 150) {
      uint32_t value = (uint32_t)random_below(&r, random_below(&r, 3) == 0 ? 0x110000 : 0x80);
      if (value >= 0xD800 && value <= 0xDFFF) continue;
      int bytes = bytes_needed(value);
      if (bytes == 1)
        text[len] = (char)value;
      else
        encode(value, bytes, text + len);
      len += (size_t)bytes;
    }
    if (random_below(&r, 2) == 0) text[random_below(&r, len)] = (char)random_next(&r);
    struct utf8 s = {0};
    bool is_valid = true;
    for (size_t at = 0; at < len && is_valid;) {
      size_t piece = 1 + random_below(&r, 20);
      if (piece > len - at) piece = len - at;
      is_valid = utf8_feed(&s, slice_of(text + at, piece));
      at += piece;
    }
    is_valid = is_valid && utf8_is_complete(&s);
    assert_int_equal(is_valid, model_is_valid((const unsigned char *)text, len));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_pattern),
      cmocka_unit_test(test_every_short_string),
      cmocka_unit_test(test_rows_at_every_split),
      cmocka_unit_test(test_random_text_in_random_pieces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
