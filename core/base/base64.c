// Bytes as text: see base64.h.
#include "base/base64.h"

#include <stdbool.h>
#include <stdint.h>

static const char letters[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t base64_write(enum base64_alphabet alphabet, struct slice bytes, char *out) {
  const char *letter = letters[alphabet];
  const uint8_t *in = (const uint8_t *)bytes.ptr;
  char *start = out;
  size_t rest = bytes.len;
  for (; rest >= 3; rest -= 3, in += 3) {
    *out++ = letter[in[0] >> 2];
    *out++ = letter[(in[0] & 3) << 4 | in[1] >> 4];
    *out++ = letter[(in[1] & 15) << 2 | in[2] >> 6];
    *out++ = letter[in[2] & 63];
  }
  if (rest > 0) {
    unsigned second = rest == 2 ? in[1] : 0;
    *out++ = letter[in[0] >> 2];
    *out++ = letter[(in[0] & 3) << 4 | second >> 4];
    if (rest == 2) *out++ = letter[(second & 15) << 2];
    for (size_t i = rest; i < 3 && alphabet == BASE64; i++) *out++ = '=';
  }
  return (size_t)(out - start);
}

static int digit(enum base64_alphabet alphabet, unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (unsigned char)letters[alphabet][62]) return 62;
  return c == (unsigned char)letters[alphabet][63] ? 63 : -1;
}

// Takes off the padding, which fills the text up to four characters.
static bool take_padding(struct slice *text) {
  size_t padding = 0;
  if (text->len % 4 != 0) return false;
  while (padding < 2 && text->len > 0 && text->ptr[text->len - 1] == '=') {
    text->len--;
    padding++;
  }
  return true;
}

long base64_read(enum base64_alphabet alphabet, struct slice text, char *out) {
  char *start = out;
  unsigned bits = 0, count = 0;
  if (alphabet == BASE64 && !take_padding(&text)) return -1;
  if (text.len % 4 == 1) return -1;
  for (size_t i = 0; i < text.len; i++) {
    int value = digit(alphabet, (unsigned char)text.ptr[i]);
    if (value < 0) return -1;
    bits = (bits << 6 | (unsigned)value) & 0xFFFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    *out++ = (char)(bits >> count & 0xFF);
  }
  return (bits & ((1u << count) - 1)) == 0 ? out - start : -1;
}

size_t hex_write(struct slice bytes, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < bytes.len; i++) {
    uint8_t c = (uint8_t)bytes.ptr[i];
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
  }
  return 2 * bytes.len;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long hex_read(struct slice text, char *out) {
  if (text.len % 2 != 0) return -1;
  for (size_t i = 0; i < text.len; i += 2) {
    int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
    if (high < 0 || low < 0) return -1;
    *out++ = (char)(high << 4 | low);
  }
  return (long)(text.len / 2);
}
