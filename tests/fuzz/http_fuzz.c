// HTTP requests: a stream tells the same however it is cut, and no head that is
// told holds a byte that could end a line somewhere else.
#include "fuzz.h"
#include "proto/http_chars.h"
#include "proto/http_run.h"
#include "proto/ws_handshake.h"

static const struct http_limits limits = {
    .header_bytes = 512, .header_count = 8, .url_bytes = 128, .body_bytes = 200};

static void check_request(const struct http_request *r) {
  assert_true(r->method_name.len > 0 && http_chars_are(r->method_name, HTTP_CHAR_TOKEN));
  assert_true(r->target.len <= limits.url_bytes && http_chars_are(r->target, HTTP_CHAR_TARGET));
  assert_true(r->path.ptr[0] == '/' || slice_equal(r->path, slice_str("*")));
  assert_true(r->content_length <= (int64_t)limits.body_bytes);
  assert_true(r->minor_version == 1 || !(r->expects_continue || r->upgrades_websocket));
  assert_true(r->header_count <= limits.header_count);
  size_t hosts = 0;
  for (size_t i = 0; i < r->header_count; i++) {
    const struct http_header *h = &r->headers[i];
    assert_true(h->name.len > 0 && http_chars_are(h->name, HTTP_CHAR_TOKEN));
    assert_true(http_chars_are(h->value, HTTP_CHAR_VALUE));
    hosts += slice_equal_nocase(h->name, slice_str("Host"));
  }
  assert_true(hosts == 1 || (hosts == 0 && r->minor_version == 0));
}

// The first head, when there is one.
static void check_first(struct slice in) {
  struct http_parser *parser = http_parser_new(&limits);
  struct slice body;
  size_t consumed;
  if (http_parser_feed(parser, in, &consumed, &body) == HTTP_HEAD) {
    const struct http_request *request = http_parser_request(parser);
    check_request(request);
    struct ws_handshake handshake = ws_handshake_check(request);
    assert_true(handshake.status == 101 || handshake.reason != NULL);
    assert_true(handshake.status == 426 || request->upgrades_websocket);
  }
  http_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  unsigned cut = fuzz_take_byte(&in);
  check_first(in);
  size_t used, used_whole;
  char *whole = run_stream(&limits, in, 0, &used_whole);
  char *told = run_stream(&limits, in, 1 + cut, &used);
  fuzz_expect_slice(slice_str(told), slice_str(whole),
                    "a stream that was cut tells something else");
  if (strstr(whole, "failed") == NULL) assert_int_equal(used, used_whole);
  free(told);
  free(whole);
  return 0;
}
