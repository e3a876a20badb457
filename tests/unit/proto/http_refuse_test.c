// What the HTTP request parser refuses, and with which status, however the bytes
// arrive: heads, then chunked bodies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_cuts.h"

static const struct bad_row {
  int status;
  struct slice in;
} bad_rows[] = {
#define ROW(status, text)              \
  {                                    \
    status, { text, sizeof(text) - 1 } \
  }
    // Line ends: CVE-2023-30589 and its relatives.
    ROW(400, LINE "Host: h\rX: y\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: y\r\rContent-Length: 1\r\n\r\n"),
    ROW(400, LINE "Host: h\r\n\rX: y\r\n\r\n"),
    ROW(400, LINE "Host: h\n\r\n"),
    ROW(400, LINE "Host: h\r\n\n"),
    ROW(400, "GET / HTTP/1.1\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1\rHost: h\r\n\r\n"),
    ROW(400, "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "\r\n\r\n\r\n\r\n\r\n" LINE "Host: h\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: a\r\n b\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: a\r\n\tb\r\n\r\n"),
    ROW(400, LINE " Host: h\r\n\r\n"),
    // Header names and values: CVE-2024-27982 and its relatives.
    ROW(400, POST "Content-Length : 1\r\n\r\nx"),
    ROW(400, POST "Content-Length\t: 1\r\n\r\nx"),
    ROW(400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, LINE "Host: h\r\n: x\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX(: y\r\n\r\n"),
    ROW(400, LINE "Host: h\r\n\x80: y\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: a\0b\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX\0: b\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: \x01\r\n\r\n"),
    ROW(400, LINE "Host: h\r\nX: \x7f\r\n\r\n"),
    // Framing.
    ROW(400, POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    ROW(400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    ROW(400, POST "Content-Length: 1, 1\r\n\r\nx"),
    ROW(400, POST "Content-Length: \r\n\r\n"),
    ROW(400, POST "Content-Length: +1\r\n\r\nx"),
    ROW(400, POST "Content-Length: -1\r\n\r\nx"),
    ROW(400, POST "Content-Length: 0x1\r\n\r\nx"),
    ROW(400, POST "Content-Length: 1 1\r\n\r\nx"),
    ROW(400, POST "Content-Length: 99999999999999999999999\r\n\r\nx"),
    ROW(413, POST "Content-Length: 9223372036854775807\r\n\r\nx"),
    // Chunked is not the last coding: where the body ends is unknown (RFC 9112 6.3).
    ROW(400, POST "Transfer-Encoding: gzip\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chun ked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: identity\r\n\r\n"),
    // Of those below, it is.
    ROW(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ROW(501, POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(501, POST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding:\r\n\r\n"),
    ROW(400, POST "Transfer-Encoding: \x0b"
                  "chunked\r\n\r\n0\r\n\r\n"),
    ROW(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // Host.
    ROW(400, LINE "\r\n"),
    ROW(400, LINE "Host: h\r\nhost: h\r\n\r\n"),
    ROW(400, "GET http://h/ HTTP/1.1\r\n\r\n"),
    ROW(400, LINE "Host:\r\n\r\n"),
    ROW(400, LINE "Host: \t\r\n\r\n"),
    ROW(400, LINE "Host: a%41\r\n\r\n"),
    ROW(400, LINE "Host: [1::2::3]\r\n\r\n"),
    ROW(400, LINE "Host: [fe80::1%25eth0]\r\n\r\n"),
    ROW(400, LINE "Host: [0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]\r\n\r\n"),
    ROW(400, LINE "Host: a b\r\n\r\n"),
    ROW(400, LINE "Host: a,b\r\n\r\n"),
    ROW(400, LINE "Host: a/b\r\n\r\n"),
    ROW(400, LINE "Host: u@h\r\n\r\n"),
    ROW(400, LINE "Host: http://h\r\n\r\n"),
    ROW(400, LINE "Host: a:b\r\n\r\n"),
    ROW(400, LINE "Host: a:1:2\r\n\r\n"),
    ROW(400, LINE "Host: a:65536\r\n\r\n"),
    ROW(400, LINE "Host: :80\r\n\r\n"),
    ROW(400, LINE "Host: [::1\r\n\r\n"),
    ROW(400, LINE "Host: []\r\n\r\n"),
    ROW(400, LINE "Host: [::1]x\r\n\r\n"),
    ROW(400, LINE "Host: \x80\r\n\r\n"),
    // Request lines.
    ROW(400, "GET /a/../../b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /%0d%0aX: HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /#x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /?q#x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /a<b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /?a=\"b\" HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /?\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /%c HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
    ROW(400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /a<b HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /?a=\"b\" HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /?\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /%c HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET host HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET host:80 HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(421, "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(421, "GET WSS://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET http://[::g]/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET http://u@h/x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET ?x HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET /\r\n"),
    ROW(400, "GET\r\n"),
    ROW(400, "GET / http/1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/11\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/01.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1,1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP /1.1\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / HTTP/1.10\r\nHost: h\r\n\r\n"),
    ROW(400, "GET / ICE/1.0\r\nHost: h\r\n\r\n"),
    ROW(400, "\x16\x03\x01\x02"),
    ROW(505, "GET / HTTP/3.1\r\nHost: h\r\n\r\n"),
    ROW(505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
    ROW(505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"),
    ROW(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW(501, "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
    ROW(501, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(501, "get / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(501, "DESCRIBE / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ROW(501, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ROW(417, POST "Expect: a-pony\r\n\r\n"),
    ROW(417, POST "Expect: 100-continue, a-pony\r\nContent-Length: 1\r\n\r\n"),
};

static void test_bad_heads(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
    char expected[32];
    snprintf(expected, sizeof expected, "failed %d\n", bad_rows[i].status);
    expect_events(&roomy, bad_rows[i].in, expected);
  }
}

// Bodies after CHUNKED that must fail, whatever has been given out before.
static const struct bad_row bad_chunks[] = {
    ROW(400, "\r\n"),
    ROW(400, ";x\r\n"),
    ROW(400, "x\r\n"),
    ROW(400, "0x1\r\na\r\n"),
    ROW(400, "-1\r\n"),
    ROW(400, "+1\r\na\r\n"),
    ROW(400, " 1\r\na\r\n"),
    ROW(400, "1 \r\na\r\n0\r\n\r\n"),
    ROW(400, "1\na\r\n0\r\n\r\n"),
    ROW(400, "1\ra\r\n0\r\n\r\n"),
    ROW(400, "1\r\rna\r\n"),
    ROW(400, "1;a\nb\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a\rb\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=\x01\r\na\r\n0\r\n\r\n"),
    ROW(400, "1\r\nab\r\n0\r\n\r\n"),
    ROW(400, "1\r\naXY0\r\n\r\n"),
    ROW(400, "1\r\na\n0\r\n\r\n"),
    ROW(400, "1\r\na\r0\r\n\r\n"),
    ROW(400, "1\r\na0\r\n\r\n"),
    ROW(400, "1;\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;=x\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=\"b\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=\"b\"c\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a b\r\na\r\n0\r\n\r\n"),
    ROW(400, "1\t\r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=b \r\na\r\n0\r\n\r\n"),
    ROW(400, "1;a=\"b\\\r\na\r\n0\r\n\r\n"),
    ROW(400, "1_0\r\n"),
    ROW(400, "10000000000000000\r\n"),
    ROW(413, "100000000\r\n"),
    ROW(413, "8000000000000000\r\n"),
    ROW(400, "0\r\nX y: a\r\n\r\n"),
    ROW(400, "0\r\nX : a\r\n\r\n"),
    ROW(400, "0\r\nX\r\n\r\n"),
    ROW(400, "0\r\n: a\r\n\r\n"),
    ROW(400, "00000000000000001\r\na\r\n0\r\n\r\n"),
    ROW(400, "0\r\nX: a\r\n b\r\n\r\n"),
    ROW(400, "0\r\n X: a\r\n\r\n"),
    ROW(400, "0\r\nX: a\rY: b\r\n\r\n"),
    ROW(400, "0\r\nX: a\nY: b\r\n\r\n"),
    ROW(400, "0\r\n\n"),
    ROW(400, "0\r\n\r\r\n"),
    ROW(413, "3e9\r\n"),
    ROW(413, "1\r\na\r\n3e8\r\n"),
    ROW(413, "ffffffffffffffff\r\n"),
};

static void test_bad_chunks(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_chunks / sizeof *bad_chunks; i++) {
    struct buf in = {0};
    buf_append_str(&in, CHUNKED);
    buf_append_slice(&in, bad_chunks[i].in);
    char *events = run_all_cuts(&roomy, buf_slice(&in));
    char expected[32];
    snprintf(expected, sizeof expected, "failed %d\n", bad_chunks[i].status);
    const char *failed = strstr(events, "failed");
    if (failed == NULL) print_message("row %zu gave: %s", i, events);
    assert_non_null(failed);
    assert_string_equal(failed, expected);
    assert_null(strstr(events, "done"));
    free(events);
    buf_free(&in);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_heads),
      cmocka_unit_test(test_bad_chunks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
