// The opening handshake: what RFC 6455 sections 4 and 9.1 ask of a request, a test
// for each rule. The requests are filled by hand: what parses them has its own tests.
#include "proto/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { MAX_HEADERS = 8 };

struct row {
  const char *name;
  int status;
  const char *headers[MAX_HEADERS][2];
};

#define GOOD_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE \
  {"Upgrade", "websocket"}, { "Connection", "Upgrade" }
#define VERSION \
  { "Sec-WebSocket-Version", "13" }
#define KEY(value) \
  { "Sec-WebSocket-Key", value }
#define GOOD UPGRADE, KEY(GOOD_KEY), VERSION
#define PROTOCOL(value) \
  { "Sec-WebSocket-Protocol", value }
#define EXTENSION(value) \
  { "Sec-WebSocket-Extensions", value }

static const struct row rows[] = {
    {"4.2.1 the RFC's example", 101, {GOOD}},
    {"4.2.1 names and tokens have no case",
     101,
     {{"upgrade", "WebSocket"},
      {"CONNECTION", "keep-alive, upgrade"},
      {"sec-websocket-KEY", GOOD_KEY},
      {"SEC-websocket-version", "13"}}},
    {"4.2.1 the order does not matter", 101, {VERSION, KEY(GOOD_KEY), UPGRADE}},
    {"4.2.1 unknown headers are ignored", 101, {GOOD, {"X-Other", "\xFF"}, {"Cookie", "a=b"}}},
    {"4.2.1 (7) origin", 101, {GOOD, {"Origin", "https://elsewhere.example"}}},

    {"4.2.1 (3) no upgrade", 426, {{"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (3) another upgrade",
     426,
     {{"Upgrade", "h2c"}, {"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (3) half a token",
     426,
     {{"Upgrade", "websockets, web"}, {"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (3) in a list of upgrades",
     101,
     {{"Upgrade", "h2c, websocket"}, {"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (4) no connection", 426, {{"Upgrade", "websocket"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (4) connection without upgrade",
     426,
     {{"Upgrade", "websocket"}, {"Connection", "keep-alive"}, KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (4) over two headers",
     101,
     {{"Upgrade", "websocket"},
      {"Connection", "keep-alive"},
      {"Connection", "Upgrade"},
      KEY(GOOD_KEY),
      VERSION}},

    {"4.2.1 (5) all of base64", 101, {UPGRADE, KEY("AZaz09+/AAAAAAAAAAAAAA=="), VERSION}},
    {"4.1 (7) the RFC's example, with spare bits set",
     101,
     {UPGRADE, KEY("AQIDBAUGBwgJCgsMDQ4PEC=="), VERSION}},
    {"4.2.1 (5) no key", 400, {UPGRADE, VERSION}},
    {"11.3.1 two keys", 400, {UPGRADE, KEY(GOOD_KEY), KEY(GOOD_KEY), VERSION}},
    {"4.2.1 (5) two keys in a list", 400, {UPGRADE, KEY(GOOD_KEY ", " GOOD_KEY), VERSION}},
    {"4.2.1 (5) empty key", 400, {UPGRADE, KEY(""), VERSION}},
    {"4.2.1 (5) key of 15 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"4.2.1 (5) key of 17 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAAA="), VERSION}},
    {"4.2.1 (5) key of 18 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"4.2.1 (5) key without padding", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"4.2.1 (5) key too long", 400, {UPGRADE, KEY(GOOD_KEY "="), VERSION}},
    {"4.2.1 (5) key with padding inside", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAA==="), VERSION}},
    {"4.2.1 (5) key with a space", 400, {UPGRADE, KEY("AAAAAAAAAAA AAAAAAAAAA=="), VERSION}},
    {"4.2.1 (5) key in base64url", 400, {UPGRADE, KEY("AAAAAAAAAAA-_AAAAAAAAA=="), VERSION}},
    {"4.2.1 (5) key with high bytes",
     400,
     {UPGRADE,
      KEY("AAAAAAAAAAA\xC3\xA9"
          "AAAAAAAAA=="),
      VERSION}},

    {"4.2.1 (6) no version", 426, {UPGRADE, KEY(GOOD_KEY)}},
    {"4.4 version 8", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "8"}}},
    {"4.4 version 25", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "25"}}},
    {"4.4 version 14", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "14"}}},
    {"4.4 old version with an old key", 426, {UPGRADE, {"Sec-WebSocket-Version", "7"}}},
    {"4.3 version 013", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "013"}}},
    {"4.3 version of letters", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "13x"}}},
    {"4.3 empty version", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", ""}}},
    {"4.3 version list", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "13, 8"}}},
    {"11.3.5 two versions", 426, {UPGRADE, KEY(GOOD_KEY), VERSION, VERSION}},

    {"4.3 one subprotocol", 101, {GOOD, PROTOCOL("chat")}},
    {"4.3 subprotocols, every character of a token",
     101,
     {GOOD, PROTOCOL("a.b-c, !#$%&'*+-.^_`|~09AZaz")}},
    {"11.3.4 subprotocols over two headers", 101, {GOOD, PROTOCOL("a"), PROTOCOL("b, c")}},
    {"4.3 empty elements do not count", 101, {GOOD, PROTOCOL(" , a ,, b,")}},
    {"4.3 an empty header beside a full one", 101, {GOOD, PROTOCOL(""), PROTOCOL("b")}},
    {"4.3 no subprotocol", 400, {GOOD, PROTOCOL("")}},
    {"4.3 only commas", 400, {GOOD, PROTOCOL(",, ,")}},
    {"4.3 subprotocol with a space", 400, {GOOD, PROTOCOL("a b")}},
    {"4.3 subprotocol with a slash", 400, {GOOD, PROTOCOL("chat/1")}},
    {"4.3 subprotocol in quotes", 400, {GOOD, PROTOCOL("\"chat\"")}},
    {"4.3 subprotocol with a parameter", 400, {GOOD, PROTOCOL("chat;v=1")}},
    {"4.3 subprotocol with high bytes", 400, {GOOD, PROTOCOL("caf\xC3\xA9")}},
    {"4.3 malformed behind a good one", 400, {GOOD, PROTOCOL("a"), PROTOCOL("b, c d")}},

    {"9.1 one extension", 101, {GOOD, EXTENSION("foo")}},
    {"9.1 extensions over two headers", 101, {GOOD, EXTENSION("foo"), EXTENSION("bar; baz=2")}},
    {"9.1 the RFC's example",
     101,
     {GOOD, EXTENSION("mux; max-channels=4; flow-control, deflate-stream")}},
    {"9.1 what browsers offer",
     101,
     {GOOD, EXTENSION("permessage-deflate; client_max_window_bits")}},
    {"9.1 space between all tokens", 101, {GOOD, EXTENSION("\ta ; b = 1\t;c=\"2\" , d ")}},
    {"9.1 quoted value", 101, {GOOD, EXTENSION("a; b=\"10\"; c=\"\\1\\0\"")}},
    {"9.1 empty elements do not count", 101, {GOOD, EXTENSION(",a,, b")}},
    {"9.1 no extension", 400, {GOOD, EXTENSION("")}},
    {"9.1 only commas", 400, {GOOD, EXTENSION(" , ")}},
    {"9.1 no name", 400, {GOOD, EXTENSION("; a=1")}},
    {"9.1 no parameter behind a semicolon", 400, {GOOD, EXTENSION("a;")}},
    {"9.1 no parameter between semicolons", 400, {GOOD, EXTENSION("a; ; b")}},
    {"9.1 no value", 400, {GOOD, EXTENSION("a; b=")}},
    {"9.1 no parameter name", 400, {GOOD, EXTENSION("a; =1")}},
    {"9.1 two values", 400, {GOOD, EXTENSION("a; b=1=2")}},
    {"9.1 a value of the extension itself", 400, {GOOD, EXTENSION("a=1")}},
    {"9.1 name with a space", 400, {GOOD, EXTENSION("a b")}},
    {"9.1 name with a slash", 400, {GOOD, EXTENSION("a/b")}},
    {"9.1 name with high bytes", 400, {GOOD, EXTENSION("caf\xC3\xA9")}},
    {"9.1 quoted value not ended", 400, {GOOD, EXTENSION("a; b=\"1")}},
    {"9.1 quoted value ends in a backslash", 400, {GOOD, EXTENSION("a; b=\"1\\")}},
    {"9.1 quoted value empty", 400, {GOOD, EXTENSION("a; b=\"\"")}},
    {"9.1 quoted value no token", 400, {GOOD, EXTENSION("a; b=\"1 2\"")}},
    {"9.1 quoted value with a quoted quote", 400, {GOOD, EXTENSION("a; b=\"1\\\"\"")}},
    {"9.1 quoted value with a comma", 400, {GOOD, EXTENSION("a; b=\"1,2\"")}},
    {"9.1 text behind a quoted value", 400, {GOOD, EXTENSION("a; b=\"1\"2")}},
    {"9.1 malformed behind a good one", 400, {GOOD, EXTENSION("a"), EXTENSION("b;;c")}},
};
enum { ROWS = sizeof rows / sizeof *rows };

static struct http_request request_of(const char *const headers[MAX_HEADERS][2],
                                      struct http_header *store) {
  struct http_request request = {.method = HTTP_METHOD_GET,
                                 .minor_version = 1,
                                 .content_length = -1,
                                 .upgrades_websocket = true,
                                 .headers = store};
  for (; request.header_count < MAX_HEADERS; request.header_count++) {
    size_t i = request.header_count;
    if (headers[i][0] == NULL) break;
    store[i] = (struct http_header){slice_str(headers[i][0]), slice_str(headers[i][1])};
  }
  return request;
}

// Values stand in memory of their own, so that a sanitizer sees a step outside.
static void test_row(void **state) {
  const struct row *row = *state;
  struct http_header store[MAX_HEADERS];
  struct http_request request = request_of(row->headers, store);
  for (size_t i = 0; i < request.header_count; i++) {
    store[i].value.ptr = mem_dup(store[i].value.ptr, store[i].value.len);
  }
  struct ws_handshake answer = ws_handshake_check(&request);
  for (size_t i = 0; i < request.header_count; i++) free((char *)store[i].value.ptr);
  assert_int_equal(answer.status, row->status);
  assert_int_equal(answer.status == 101, answer.reason == NULL);
  assert_int_equal(answer.status == 101 ? WS_ACCEPT_BYTES : 0, strlen(answer.accept));
}

// GET, HTTP/1.1, no body.
static void test_request(void **state) {
  (void)state;
  struct http_header store[MAX_HEADERS];
  const struct http_request good = request_of(rows[0].headers, store);
  struct http_request bad[] = {good, good, good};
  bad[0].method = HTTP_METHOD_POST;
  bad[1].minor_version = 0;
  bad[2].has_body = true;
  for (size_t i = 0; i < 3; i++) {
    struct ws_handshake answer = ws_handshake_check(&bad[i]);
    assert_int_equal(answer.status, bad[i].has_body ? 400 : 426);
    assert_non_null(answer.reason);
  }
}

static void test_accept(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},  // RFC 6455 1.3
      {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
  };
  for (size_t i = 0; i < 2; i++) {
    const char *const headers[MAX_HEADERS][2] = {UPGRADE, KEY(pairs[i][0]), VERSION};
    struct http_header store[MAX_HEADERS];
    struct http_request request = request_of(headers, store);
    assert_string_equal(ws_handshake_check(&request).accept, pairs[i][1]);
  }
}

// Which offers can be accepted is for ws_extensions_test.
static void test_offer(void **state) {
  (void)state;
  static const char *const headers[][MAX_HEADERS][2] = {
      {GOOD},
      {GOOD, EXTENSION("foo")},
      {GOOD, EXTENSION("foo, permessage-deflate; server_max_window_bits=9")},
  };
  static const uint8_t bits[] = {0, 0, 9};
  for (size_t i = 0; i < sizeof bits; i++) {
    struct http_header store[MAX_HEADERS];
    struct http_request request = request_of(headers[i], store);
    struct ws_handshake answer = ws_handshake_check(&request);
    assert_int_equal(answer.offers_deflate, bits[i] > 0);
    assert_int_equal(answer.offer.server_bits, bits[i]);
  }
}

int main(void) {
  enum { OTHERS = 3 };
  struct CMUnitTest tests[OTHERS + ROWS] = {
      {"4.2.1 (1) the request itself", test_request, NULL, NULL, NULL},
      {"4.2.2 (5) Sec-WebSocket-Accept", test_accept, NULL, NULL, NULL},
      {"9.1 the offer of permessage-deflate is told", test_offer, NULL, NULL, NULL},
  };
  for (size_t i = 0; i < ROWS; i++) {
    tests[OTHERS + i] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, (void *)&rows[i]};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
