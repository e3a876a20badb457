// Bytes as text: the vectors of RFC 4648 section 10, and every text that is none.
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct row {
  const char *bytes, *base64, *url, *hex;
} rows[] = {
    {"", "", "", ""},
    {"f", "Zg==", "Zg", "66"},
    {"fo", "Zm8=", "Zm8", "666f"},
    {"foo", "Zm9v", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "Zm9vYg", "666f6f62"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"},
    {"\xfb\xff\xfe", "+//+", "-__-", "fbfffe"},
};

static void expect(struct slice text, const char *out, size_t len) {
  assert_int_equal(len, text.len);
  assert_memory_equal(out, text.ptr, len);
}

static void the_vectors_of_the_standard(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct row *row = &rows[i];
    struct slice bytes = slice_str(row->bytes);
    char out[64];
    expect(slice_str(row->base64), out, base64_write(BASE64, bytes, out));
    expect(slice_str(row->url), out, base64_write(BASE64_URL, bytes, out));
    expect(slice_str(row->hex), out, hex_write(bytes, out));
    expect(bytes, out, (size_t)base64_read(BASE64, slice_str(row->base64), out));
    expect(bytes, out, (size_t)base64_read(BASE64_URL, slice_str(row->url), out));
    expect(bytes, out, (size_t)hex_read(slice_str(row->hex), out));
  }
}

// In memory as large as the header promises, so that a sanitizer sees a step outside.
static void all_bytes_come_back_at_every_length(void **state) {
  (void)state;
  char bytes[256];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37);
  for (size_t len = 0; len <= sizeof bytes; len++) {
    for (enum base64_alphabet alphabet = BASE64; alphabet <= BASE64_URL; alphabet++) {
      char *text = mem_alloc(base64_room(len) + 1);
      size_t text_len = base64_write(alphabet, slice_of(bytes, len), text);
      assert_true(text_len <= base64_room(len));
      char *back = mem_alloc(base64_read_room(text_len));
      expect(slice_of(bytes, len), back,
             (size_t)base64_read(alphabet, slice_of(text, text_len), back));
      free(text);
      free(back);
    }
  }
}

static void what_is_another_spelling_is_refused(void **state) {
  (void)state;
  static const char *const base64s[] = {
      "Z",    "Zg",       "Zg=",  "Zg===",  "Zh==", "Zm9=",  "=",    "====",
      "Z===", "Zg==Zg==", "Zm 9", "Zm9v\n", "-__-", "Zm9v=", "Zm8=="};
  static const char *const urls[] = {"Z",    "Zg==",  "Zh",    "Zm9",
                                     "+//+", "Zm9v ", "Zm9v=", "Z\xc3\xa4"};
  static const char *const hexes[] = {"6", "6g", "g6", "66 6", "0x66", "6\n"};
  char out[64];
  for (size_t i = 0; i < sizeof base64s / sizeof *base64s; i++)
    if (base64_read(BASE64, slice_str(base64s[i]), out) >= 0) fail_msg("%s", base64s[i]);
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
    if (base64_read(BASE64_URL, slice_str(urls[i]), out) >= 0) fail_msg("%s", urls[i]);
  for (size_t i = 0; i < sizeof hexes / sizeof *hexes; i++)
    if (hex_read(slice_str(hexes[i]), out) >= 0) fail_msg("%s", hexes[i]);
  assert_int_equal(hex_read(slice_str("aBfF"), out), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_vectors_of_the_standard),
      cmocka_unit_test(all_bytes_come_back_at_every_length),
      cmocka_unit_test(what_is_another_spelling_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
