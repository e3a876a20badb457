// The HTTP request parser: what it accepts and limits, and that its verdict never
// depends on how the bytes arrive. What it refuses is in http_refuse_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_cuts.h"

static const struct good_row {
  const char *in, *events;
} good_rows[] = {
    {LINE "Host: h\r\n\r\n", "GET / 1.1 k|Host=h\ndone\n"},
    {"\r\n\r\n" LINE "Host: h\r\n\r\n", "GET / 1.1 k|Host=h\ndone\n"},
    {LINE "Host: a.example:8080\r\nX-Empty:\r\nX-Blank:  \t \r\nX:\t a  b \t\r\n\r\n",
     "GET / 1.1 k|Host=a.example:8080|X-Empty=|X-Blank=|X=a  b\ndone\n"},
    {"GET /a/b?x=1&y=?2 HTTP/1.1\r\nHost:h\r\n\r\n", "GET /a/b ?x=1&y=?2 1.1 k|Host=h\ndone\n"},
    {"GET /a/./b/%2e%2E/c HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a/c 1.1 k|Host=h\ndone\n"},
    {"GET http://other:81/p?q HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET /p ?q 1.1 k|Host=other:81\ndone\n"},
    {"GET HTTP://other HTTP/1.1\r\nHost: h\r\n\r\n", "GET / 1.1 k|Host=other\ndone\n"},
    {"GET http://other?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET / ?q 1.1 k|Host=other\ndone\n"},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * 1.1 k|Host=h\ndone\n"},
    {"OPTIONS http://o HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * 1.1 k|Host=o\ndone\n"},
    {"OPTIONS http://o?q HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS / ?q 1.1 k|Host=o\ndone\n"},
    {"GET //a//b/? HTTP/1.1\r\nHost: h\r\n\r\n", "GET //a//b/ 1.1 k|Host=h\ndone\n"},
    {"GET /%2F%2f..%2e? HTTP/1.1\r\nHost: h\r\n\r\n", "GET /%2F%2f..%2e 1.1 k|Host=h\ndone\n"},
    {"GET /[^`|{}] HTTP/1.1\r\nHost: h\r\n\r\n", "GET /[^`|{}] 1.1 k|Host=h\ndone\n"},
    {"GET /?\\[^`|{}]%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET / ?\\[^`|{}]%zz 1.1 k|Host=h\ndone\n"},
    {"PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", "PROPFIND / 1.1 k|Host=h\ndone\n"},
    {"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 \ndone\n"},
    // A later minor version is read as 1.1 (RFC 9110 2.5).
    {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", "GET / 1.1 k|Host=h\ndone\n"},
    {"\r\nPOST / HTTP/1.9\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\ndone\n"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / 1.0 k|Connection=Keep-Alive\ndone\n"},
    {LINE "Host: h\r\nConnection: ,x, Close\r\n\r\n",
     "GET / 1.1 |Host=h|Connection=,x, Close\ndone\n"},
    {LINE "Host: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
     "GET / 1.1 |Host=h|Connection=keep-alive|Connection=close\ndone\n"},
    {LINE "Host: h\r\nConnection: closed, xclose\r\n\r\n",
     "GET / 1.1 k|Host=h|Connection=closed, xclose\ndone\n"},
    {LINE "Host: [::1]:80\r\n\r\n", "GET / 1.1 k|Host=[::1]:80\ndone\n"},
    {LINE "Host: [::ffff:1.2.3.4]\r\n\r\n", "GET / 1.1 k|Host=[::ffff:1.2.3.4]\ndone\n"},
    {LINE "Host: h:\r\n\r\n", "GET / 1.1 k|Host=h:\ndone\n"},
    {LINE "hOST:\th \t\r\n\r\n", "GET / 1.1 k|hOST=h\ndone\n"},
    {LINE "Host: h\r\nX: \x80\xff\r\n\r\n", "GET / 1.1 k|Host=h|X=\x80\xff\ndone\n"},
    // Bodies.
    {POST "Content-Length: 5\r\n\r\nhello",
     "POST / 1.1 kb 5|Host=h|Content-Length=5\nbody hello\ndone\n"},
    {POST "Content-Length: \t 0005\t \t\r\n\r\nhello",
     "POST / 1.1 kb 5|Host=h|Content-Length=0005\nbody hello\ndone\n"},
    {POST "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n" LINE "Host: i\r\n\r\n",
     "POST / 1.1 k|Host=h|Content_Length=5|Transfer_Encoding=chunked\ndone\nGET / 1.1 "
     "k|Host=i\ndone\n"},
    {POST "Content-Length: 0\r\n\r\n", "POST / 1.1 k 0|Host=h|Content-Length=0\ndone\n"},
    {POST "Content-Length: 5\r\n\r\nhel",
     "POST / 1.1 kb 5|Host=h|Content-Length=5\nbody hel\nmore\n"},
    {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
     "POST / 1.1 kbc 1|Host=h|Expect=100-Continue|Content-Length=1\nbody x\ndone\n"},
    {POST "Expect: , 100-continue,\r\nExpect:\r\nContent-Length: 1\r\n\r\nx",
     "POST / 1.1 kbc 1|Host=h|Expect=, 100-continue,|Expect=|Content-Length=1\nbody x\ndone\n"},
    {POST "Expect: 100-continue\r\n\r\n", "POST / 1.1 k|Host=h|Expect=100-continue\ndone\n"},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
     "POST / 1.0 b 1|Expect=100-continue|Content-Length=1\nbody x\ndone\n"},
    {CHUNKED "5\r\nhello\r\n0006\r\n world\r\n0\r\n\r\n",
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\nbody hello world\ndone\n"},
    {POST "TRANSFER-ENCODING:\tChUnKeD\t\r\n\r\n1;a;b=\"c;\\\"d=\";e=f;g\r\nx\r\n"
          "1 ;a\t=\tb ; c\t;\td= \"\"\r\ny\r\n0\r\n\r\n",
     "POST / 1.1 kb|Host=h|TRANSFER-ENCODING=ChUnKeD\nbody xy\ndone\n"},
    {CHUNKED "a;x=y\r\n\r\n\r\n\r\n\r\n\r\n\r\nA\r\n1234567890\r\n0;z\r\n\r\n",
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\nbody \r\n\r\n\r\n\r\n\r\n1234567890\ndone\n"},
    {CHUNKED "0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n" LINE "Host: h\r\n\r\n",
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\ndone\nGET / 1.1 k|Host=h\ndone\n"},
    // Trailers change nothing, whatever they are named (RFC 9110 6.5.1).
    {CHUNKED "0\r\nHost: evil\r\nConnection: close\r\nUpgrade: websocket\r\nTrailer: x\r\n\r\n" LINE
             "Host: i\r\n\r\n",
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\ndone\nGET / 1.1 k|Host=i\ndone\n"},
    // Pipelining: each ends exactly where the next begins.
    {LINE "Host: h\r\n\r\n" POST "Content-Length: 2\r\n\r\nab" CHUNKED
          "1\r\nc\r\n0\r\n\r\nGET /z HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET / 1.1 k|Host=h\ndone\nPOST / 1.1 kb 2|Host=h|Content-Length=2\nbody ab\ndone\n"
     "POST / 1.1 kb|Host=h|Transfer-Encoding=chunked\nbody c\ndone\nGET /z 1.1 k|Host=h\ndone\n"},
    // Upgrades: a WebSocket's first bytes are left alone, other protocols are ignored.
    {LINE UPGRADE "\r\n\x81\x85rest",
     "GET / 1.1 kw|Host=h|Connection=keep-alive, Upgrade|Upgrade=websocket\ndone\n"},
    {LINE UPGRADE "Content-Length: 2\r\n\r\nab\x81",
     "GET / 1.1 kbw 2|Host=h|Connection=keep-alive, "
     "Upgrade|Upgrade=websocket|Content-Length=2\nbody ab\ndone\n"},
    {LINE "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" LINE
          "Host: i\r\n\r\n",
     "GET / 1.1 k|Host=h|Connection=Upgrade, HTTP2-Settings|Upgrade=h2c\ndone\nGET / 1.1 "
     "k|Host=i\ndone\n"},
    {POST "Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
          "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" LINE "Host: i\r\n\r\n",
     "POST / 1.1 kb|Host=h|Connection=upgrade|Upgrade=h2c|Transfer-Encoding=chunked\nbody a\ndone\n"
     "GET / 1.1 k|Host=i\ndone\n"},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
     "GET / 1.0 |Connection=upgrade|Upgrade=websocket\ndone\n"},
    // Not complete.
    {"", ""},
    {"\r\n", ""},
    {"G", "more\n"},
    {LINE "Host: h\r\n\r", "more\n"},
};

static void test_good(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good_rows / sizeof *good_rows; i++) {
    expect_events(&roomy, slice_str(good_rows[i].in), good_rows[i].events);
  }
}

static void append_times(struct buf *out, char c, size_t count) {
  memset(buf_reserve(out, count), c, count);
  buf_grew(out, count);
}

// Runs prefix + filler x count + suffix and compares the last line told.
static void expect_end(const struct http_limits *limits, const char *prefix, size_t count,
                       const char *suffix, const char *last) {
  struct buf in = {0};
  buf_append_str(&in, prefix);
  append_times(&in, 'x', count);
  buf_append_str(&in, suffix);
  char *events = run_all_cuts(limits, buf_slice(&in));
  size_t len = strlen(events), want = strlen(last);
  assert_true(len >= want);
  assert_string_equal(events + len - want, last);
  free(events);
  buf_free(&in);
}

static void test_limits(void **state) {
  (void)state;
  const struct http_limits limits = {
      .header_bytes = 200, .header_count = 3, .url_bytes = 20, .body_bytes = 10};
  const char *host = " HTTP/1.1\r\nHost: h\r\n\r\n";
  expect_end(&limits, "GET /", 19, host, "\ndone\n");
  expect_end(&limits, "GET /", 20, host, "failed 414\n");
  expect_end(&limits, "GET /", 20, "", "failed 414\n");
  // The head is exactly 200 bytes, then one more.
  const size_t fixed = strlen("GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n");
  expect_end(&limits, LINE "Host: h\r\nX: ", 200 - fixed, "\r\n\r\n", "\ndone\n");
  expect_end(&limits, LINE "Host: h\r\nX: ", 201 - fixed, "\r\n\r\n", "failed 431\n");
  expect_end(&limits, LINE "Host: h\r\nX: ", 200 - fixed, "\r\n\r\nG", "more\n");
  expect_end(&limits, LINE "Host: h\r\nA:1\r\nB:", 0, "\r\n\r\n", "\ndone\n");
  expect_end(&limits, LINE "Host: h\r\nA:1\r\nB:2\r\nC:", 0, "\r\n\r\n", "failed 431\n");
  expect_end(&limits, POST "Content-Length: 10\r\n\r\n", 10, "", "\ndone\n");
  expect_end(&limits, POST "Content-Length: 11\r\n\r\n", 11, "", "failed 413\n");
  expect_end(&limits, CHUNKED "a\r\n", 10, "\r\n0\r\n\r\n", "\ndone\n");
  expect_end(&limits, CHUNKED "a\r\n", 10, "\r\n1\r\nx\r\n0\r\n\r\n", "failed 413\n");
  expect_end(&limits, CHUNKED "1;", 200, "\r\nx\r\n0\r\n\r\n", "\ndone\n");
  expect_end(&limits, CHUNKED "1;", 201, "\r\nx\r\n0\r\n\r\n", "failed 431\n");
  expect_end(&limits, CHUNKED "0\r\nX:", 198, "\r\n\r\n", "\ndone\n");
  expect_end(&limits, CHUNKED "0\r\nX:", 199, "\r\n\r\n", "failed 431\n");
  expect_end(&limits, CHUNKED "1;ab\r\nx\r\n0\r\nX:", 197, "\r\n\r\n", "failed 431\n");
  const struct http_limits narrow = {.header_bytes = 20, .header_count = 3, .url_bytes = 2000};
  expect_end(&narrow, "GET /", 100, "", "failed 414\n");
}

static void test_upgrade_leaves_the_rest(void **state) {
  (void)state;
  struct slice in = slice_str(LINE UPGRADE "\r\n\x81\x85rest");
  for (unsigned cut = 0; cut < CUTS; cut++) {
    size_t used;
    free(run_stream(&roomy, in, cut, &used));
    assert_int_equal(used, in.len - 6);
  }
}

static void test_lookup(void **state) {
  (void)state;
  struct http_parser *p = http_parser_new(&roomy);
  size_t consumed;
  struct slice body;
  struct slice in = slice_str(LINE "Host: h\r\nAccept: a, b\r\naccept: ,c ,\tD\r\n\r\n");
  assert_int_equal(http_parser_feed(p, in, &consumed, &body), HTTP_HEAD);
  assert_int_equal(consumed, in.len);
  const struct http_request *r = http_parser_request(p);
  assert_int_equal(r->method, HTTP_METHOD_GET);
  assert_true(slice_equal(http_request_header(r, "ACCEPT"), slice_str("a, b")));
  assert_null(http_request_header(r, "accep").ptr);
  assert_true(http_request_has_token(r, "accept", "d"));
  assert_true(http_request_has_token(r, "Accept", "B"));
  assert_false(http_request_has_token(r, "accept", "a, b"));
  assert_false(http_request_has_token(r, "missing", "a"));
  // Done comes without more bytes, and stays until reset.
  for (int i = 0; i < 2; i++) {
    assert_int_equal(http_parser_feed(p, slice_of(NULL, 0), &consumed, &body), HTTP_DONE);
    assert_int_equal(http_parser_feed(p, in, &consumed, &body), HTTP_DONE);
    assert_int_equal(consumed, 0);
  }
  assert_false(http_parser_is_idle(p));
  http_parser_reset(p);
  assert_true(http_parser_is_idle(p));
  http_parser_free(p);
}

static void test_failure_stays(void **state) {
  (void)state;
  struct http_parser *p = http_parser_new(&roomy);
  size_t consumed;
  struct slice body;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(http_parser_feed(p, slice_str("nonsense\r\n"), &consumed, &body), HTTP_FAILED);
    assert_int_equal(consumed, 10);
    assert_int_equal(http_parser_failure(p).status, 400);
    assert_non_null(http_parser_failure(p).reason);
  }
  http_parser_reset(p);
  assert_int_equal(http_parser_feed(p, slice_str(LINE "Host: h\r\n\r\n"), &consumed, &body),
                   HTTP_HEAD);
  assert_int_equal(http_parser_failure(p).status, 0);
  http_parser_free(p);
}

// Damaged requests of every kind: accepted or refused, but the same way however
// they are cut.
static void test_damaged(void **state) {
  (void)state;
  static const char spice[] =
      "\r\n\t :;,\0\x80\x7f"
      "0aX/%.#?*";
  unsigned seed = 7;
  for (int round = 0; round < 3000; round++) {
    const char *base = good_rows[(unsigned)round % (sizeof good_rows / sizeof *good_rows)].in;
    size_t len = strlen(base);
    char *text = mem_strdup(base);
    for (int hits = 1 + round % 3; hits > 0 && len > 0; hits--) {
      seed = seed * 1103515245u + 12345u;
      text[(seed >> 16) % len] = spice[(seed >> 8) % (sizeof spice - 1)];
    }
    free(run_all_cuts(&roomy, slice_of(text, len)));
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_upgrade_leaves_the_rest),
      cmocka_unit_test(test_lookup),
      cmocka_unit_test(test_failure_stays),
      cmocka_unit_test(test_damaged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
