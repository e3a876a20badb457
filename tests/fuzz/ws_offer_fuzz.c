// Sec-WebSocket-Extensions: what is offered in two headers means what it means in
// one (RFC 9110 5.3), and the answer gives no more than was asked (RFC 7692 7.1).
#include "fuzz.h"
#include "proto/ws_deflate.h"
#include "proto/ws_extensions.h"

static enum ws_extensions read(struct slice first, struct slice second,
                               struct ws_deflate_terms *offer) {
  struct slice name = slice_str("Sec-WebSocket-Extensions");
  const struct http_header headers[] = {{name, slice_trim(first)}, {name, slice_trim(second)}};
  struct http_request request = {.headers = headers, .header_count = second.ptr != NULL ? 2 : 1};
  *offer = (struct ws_deflate_terms){0};
  return ws_extensions_read(&request, offer);
}

static void expect_same(const struct ws_deflate_terms *a, const struct ws_deflate_terms *b) {
  assert_true(a->server_no_context == b->server_no_context);
  assert_true(a->client_no_context == b->client_no_context);
  assert_true(a->server_bits == b->server_bits && a->client_bits == b->client_bits);
}

static bool is_bits(uint8_t bits) {
  return bits == 0 || (bits >= WS_WINDOW_BITS_MIN && bits <= WS_WINDOW_BITS_MAX);
}

static void check_answer(const struct ws_deflate_terms *offer, bool keeps_context) {
  struct ws_deflate_terms terms = ws_deflate_agree(offer, keeps_context), again;
  assert_true(is_bits(offer->server_bits) && is_bits(offer->client_bits));
  assert_true(terms.server_no_context || (keeps_context && !offer->server_no_context));
  if (offer->server_bits > 0) assert_true(is_bits(terms.server_bits) && terms.server_bits > 0);
  if (offer->server_bits > 0) assert_true(terms.server_bits <= offer->server_bits);
  if (terms.client_bits > 0) assert_true(terms.client_bits <= offer->client_bits);
  struct buf written = {0};
  ws_deflate_write_terms(&written, &terms);
  assert_int_equal(read(buf_slice(&written), slice_of(NULL, 0), &again), WS_EXTENSIONS_DEFLATE);
  expect_same(&again, &terms);
  buf_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  struct slice first = fuzz_take_field(&in), second = fuzz_take_field(&in);
  struct ws_deflate_terms apart, together;
  struct buf joined = {0};
  buf_append_slice(&joined, slice_trim(first));
  buf_append_str(&joined, ", ");
  buf_append_slice(&joined, slice_trim(second));
  enum ws_extensions verdict = read(first, second, &apart);
  bool has_open_quote = verdict == WS_EXTENSIONS_MALFORMED;  // which the joint may close
  if (!has_open_quote) {
    assert_int_equal(read(buf_slice(&joined), slice_of(NULL, 0), &together), verdict);
    expect_same(&together, &apart);
  }
  if (verdict == WS_EXTENSIONS_DEFLATE) {
    check_answer(&apart, true);
    check_answer(&apart, false);
  }
  buf_free(&joined);
  fuzz_release();
  return 0;
}
