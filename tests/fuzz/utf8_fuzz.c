// UTF-8: the incremental reader against a decoder of whole characters, and that
// it fails at the same byte however the text is cut.
#include "base/utf8.h"

#include "fuzz.h"

// The bytes of the character at the front (RFC 3629 section 3), 0 when there is none.
static size_t character_bytes(const uint8_t *p, size_t left) {
  static const struct {
    uint8_t lead_mask, lead, bytes;
    uint32_t least;
  } forms[] = {
      {0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    if ((p[0] & forms[i].lead_mask) != forms[i].lead || left < forms[i].bytes) continue;
    uint32_t code = p[0] & (uint8_t)~forms[i].lead_mask;
    for (size_t k = 1; k < forms[i].bytes; k++) {
      if ((p[k] & 0xC0) != 0x80) return 0;
      code = code << 6 | (p[k] & 0x3F);
    }
    bool is_scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    return is_scalar && code >= forms[i].least ? forms[i].bytes : 0;
  }
  return 0;
}

static bool is_text(struct slice in) {
  size_t at = 0, bytes = 1;
  for (; at < in.len && bytes > 0; at += bytes) {
    bytes = character_bytes((const uint8_t *)in.ptr + at, in.len - at);
  }
  return bytes > 0;
}

// How many bytes go in until one is refused; more than in.len when none is.
static size_t feed(struct slice in, size_t most, struct utf8 *state) {
  struct fuzz_cut cut = fuzz_cut(most);
  struct slice rest = in;
  *state = (struct utf8){0};
  while (rest.len > 0) {
    if (!utf8_feed(state, fuzz_take_piece(&cut, &rest))) return in.len - rest.len;
  }
  return in.len + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  uint8_t most = fuzz_take_byte(&in);
  assert_int_equal(utf8_is_valid(in), is_text(in));
  struct utf8 by_byte, in_pieces;
  size_t bad_after = feed(in, 1, &by_byte), refused_after = feed(in, 1 + most, &in_pieces);
  assert_int_equal(bad_after > in.len, refused_after > in.len);
  assert_true(refused_after >= bad_after);
  if (bad_after > in.len) {
    assert_int_equal(by_byte.need, in_pieces.need);
  } else {
    // Fails as soon as it can: no text goes on from there, and some does from before.
    assert_true(feed(slice_of(in.ptr, bad_after - 1), 0, &in_pieces) == bad_after);
    assert_false(utf8_feed(&(struct utf8){0}, slice_of(in.ptr, bad_after)));
  }
  return 0;
}
