// UTF-8 validation: see utf8.h. The byte ranges are table 3-7 of the Unicode
// standard, "Well-Formed UTF-8 Byte Sequences".
#include "base/utf8.h"

static bool start_character(struct utf8 *s, uint8_t c) {
  s->low = 0x80;
  s->high = 0xBF;
  if (c >= 0xC2 && c <= 0xDF) {
    s->need = 1;
  } else if (c >= 0xE0 && c <= 0xEF) {
    s->need = 2;
    if (c == 0xE0) s->low = 0xA0;
    if (c == 0xED) s->high = 0x9F;
  } else if (c >= 0xF0 && c <= 0xF4) {
    s->need = 3;
    if (c == 0xF0) s->low = 0x90;
    if (c == 0xF4) s->high = 0x8F;
  } else {
    return false;
  }
  return true;
}

static uint64_t load(const uint8_t *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

static bool is_ascii(uint64_t word) { return (word & 0x8080808080808080u) == 0; }

bool utf8_feed(struct utf8 *s, struct slice bytes) {
  const uint8_t *p = (const uint8_t *)bytes.ptr;
  const uint8_t *end = p + bytes.len;
  while (p < end) {
    if (s->need == 0) {
      // Many ASCII bytes at a time: most text is ASCII.
      while (end - p >= 32 && is_ascii(load(p) | load(p + 8) | load(p + 16) | load(p + 24)))
        p += 32;
      while (end - p >= 8 && is_ascii(load(p))) p += 8;
      // The last ones together with some that were looked at already.
      if (p == end || (end - p < 8 && bytes.len >= 8 && is_ascii(load(end - 8)))) return true;
      uint8_t c = *p++;
      if (c >= 0x80 && !start_character(s, c)) return false;
    } else {
      uint8_t c = *p++;
      if (c < s->low || c > s->high) return false;
      s->low = 0x80;
      s->high = 0xBF;
      s->need--;
    }
  }
  return true;
}
