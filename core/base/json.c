// JSON text: see json.h.
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

static bool is_special(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7F; }

// The word with `c` in each of its bytes.
static inline uint64_t each(unsigned char c) { return 0x0101010101010101u * c; }

// Whether a byte of the word is less than n, at most 0x80. Below 0x80 alone counts.
static inline uint64_t has_less(uint64_t word, unsigned char n) {
  return (word - each(n)) & ~word & each(0x80);
}

static inline uint64_t has(uint64_t word, unsigned char c) { return has_less(word ^ each(c), 1); }

size_t json_plain_bytes(struct slice text) {
  size_t at = 0;
  for (; text.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, text.ptr + at, sizeof word);
    uint64_t found = has_less(word, 0x20) | has(word, '"') | has(word, '\\') | has(word, 0x7F);
    if (found == 0) continue;
    // Carries may mark bytes above the first one, never below.
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) return at + (size_t)__builtin_ctzll(found) / 8;
    break;
  }
  while (at < text.len && !is_special((unsigned char)text.ptr[at])) at++;
  return at;
}

static void append_special(struct buf *out, unsigned char c) {
  static const char letters[0x20] = {
      ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  static const char hex[] = "0123456789abcdef";
  char letter = c == '"' || c == '\\' ? (char)c : c < 0x20 ? letters[c] : '\0';
  char escape[6] = {'\\', letter, '0', '0', hex[c >> 4], hex[c & 15]};
  if (letter == '\0') escape[1] = 'u';
  buf_append(out, escape, letter == '\0' ? 6 : 2);
}

void json_append_escaped(struct buf *out, struct slice text) {
  for (;;) {
    size_t plain = json_plain_bytes(text);
    buf_append(out, text.ptr, plain);
    if (plain == text.len) return;
    append_special(out, (unsigned char)text.ptr[plain]);
    text = slice_of(text.ptr + plain + 1, text.len - plain - 1);
  }
}

void json_append_string(struct buf *out, struct slice text) {
  buf_append_char(out, '"');
  json_append_escaped(out, text);
  buf_append_char(out, '"');
}
