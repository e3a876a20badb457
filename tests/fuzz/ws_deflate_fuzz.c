// permessage-deflate: any payload inflates to the same however it is cut, never
// to more than the limit, and to what zlib alone makes of it; what is deflated
// comes back, with and without context.
#include "proto/ws_deflate.h"

#include <zlib.h>

#include "base/mem.h"
#include "fuzz.h"

enum { LIMIT = 4000 };

static enum ws_inflated inflate_cut(struct ws_inflater *inflater, struct slice in, size_t most,
                                    struct buf *out) {
  struct fuzz_cut cut = fuzz_cut(most);
  enum ws_inflated status = WS_INFLATED;
  ws_inflater_begin(inflater);
  while (in.len > 0 && status == WS_INFLATED) {
    status = ws_inflate(inflater, fuzz_take_piece(&cut, &in), LIMIT, out);
  }
  if (status == WS_INFLATED) status = ws_inflater_end(inflater, LIMIT, out);
  assert_true(buf_len(out) <= LIMIT + 1);
  assert_int_equal(status == WS_INFLATE_TOO_BIG, buf_len(out) == LIMIT + 1);
  return status;
}

// The payload with the tail back on, as RFC 7692 section 7.2.2 puts it. True when
// it is one run of whole blocks without an end.
static bool inflate_plainly(struct slice in, unsigned bits, char out[LIMIT + 1], size_t *len) {
  struct buf all = {0};
  buf_append_slice(&all, in);
  buf_append(&all, "\0\0\xFF\xFF", WS_DEFLATE_TAIL);
  z_stream z = {.next_in = (Bytef *)all.data,
                .avail_in = (uInt)all.end,
                .next_out = (Bytef *)out,
                .avail_out = LIMIT + 1};
  assert_int_equal(inflateInit2(&z, -(int)bits), Z_OK);
  int status = inflate(&z, Z_SYNC_FLUSH);
  *len = LIMIT + 1 - z.avail_out;
  bool is_whole = status == Z_OK && z.avail_in == 0 && z.avail_out > 0 && z.data_type == 128;
  inflateEnd(&z);
  buf_free(&all);
  return is_whole;
}

// zlib notices a reference beyond a window below the largest only when what it
// refers to is not in the output of the same call: how the input is cut decides.
static void expect_same(unsigned bits, enum ws_inflated status, const struct buf *out,
                        enum ws_inflated expected, struct slice text, const char *what) {
  bool is_broken = status == WS_INFLATE_BROKEN || expected == WS_INFLATE_BROKEN;
  if (is_broken && bits < WS_WINDOW_BITS_MAX) return;
  assert_int_equal(status, expected);
  if (!is_broken) fuzz_expect_slice(buf_slice(out), text, what);
}

static void check_inflate(struct slice in, unsigned bits, size_t most) {
  struct ws_inflater *one = ws_inflater_new(bits, false), *other = ws_inflater_new(bits, false);
  struct buf whole = {0}, again = {0};
  enum ws_inflated status = inflate_cut(one, in, 0, &whole);
  expect_same(bits, inflate_cut(other, in, 1 + most, &again), &again, status, buf_slice(&whole),
              "a payload in pieces");
  static char plain[LIMIT + 1];
  size_t len;
  if (inflate_plainly(in, bits, plain, &len)) {
    expect_same(bits, status, &whole, WS_INFLATED, slice_of(plain, len), "what zlib makes of it");
  }
  // Whatever came before leaves nothing behind.
  buf_clear(&again);
  expect_same(bits, inflate_cut(one, in, 0, &again), &again, status, buf_slice(&whole),
              "a payload after another");
  ws_inflater_free(one);
  ws_inflater_free(other);
  buf_free(&whole);
  buf_free(&again);
}

// The same message three times: later ones may refer to those before.
static void check_round_trip(struct slice in, unsigned bits, bool keeps_context, size_t most) {
  struct ws_deflater *deflater = ws_deflater_new(bits, keeps_context);
  struct ws_inflater *inflater = ws_inflater_new(bits, keeps_context);
  for (int i = 0; i < 3; i++) {
    char *compressed = mem_alloc(in.len + WS_DEFLATE_TAIL);
    struct buf back = {0};
    size_t len = ws_deflate(deflater, in, compressed);
    assert_true(len < in.len || len == 0);
    if (len > 0) {
      assert_int_equal(inflate_cut(inflater, slice_of(compressed, len), most, &back), WS_INFLATED);
      fuzz_expect_slice(buf_slice(&back), in, "what was deflated");
    }
    free(compressed);
    buf_free(&back);
  }
  ws_deflater_free(deflater);
  ws_inflater_free(inflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  uint8_t most = fuzz_take_byte(&in), mode = fuzz_take_byte(&in);
  check_inflate(in, 8 + mode % 8, most);
  check_round_trip(in, 9 + mode % 7, mode & 64, most);
  return 0;
}
