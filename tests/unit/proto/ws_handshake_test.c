// Tests of the opening handshake's checks and of the subprotocol walk. The
// requests are filled by hand: what parses them has its own tests.
#include "proto/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

static const struct row rows[] = {
    {"the RFC's example", 101, {UPGRADE, KEY(GOOD_KEY), VERSION}},
    {"names without case",
     101,
     {{"upgrade", "WebSocket"},
      {"CONNECTION", "keep-alive, upgrade"},
      {"sec-websocket-KEY", GOOD_KEY},
      {"SEC-websocket-version", "13"}}},
    {"all of base64", 101, {UPGRADE, KEY("AZaz09+/AAAAAAAAAAAAAA=="), VERSION}},
    {"no upgrade", 400, {{"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"another upgrade",
     400,
     {{"Upgrade", "h2c"}, {"Connection", "upgrade"}, KEY(GOOD_KEY), VERSION}},
    {"no connection", 400, {{"Upgrade", "websocket"}, KEY(GOOD_KEY), VERSION}},
    {"connection without upgrade",
     400,
     {{"Upgrade", "websocket"}, {"Connection", "keep-alive"}, KEY(GOOD_KEY), VERSION}},
    {"no key", 400, {UPGRADE, VERSION}},
    {"two keys", 400, {UPGRADE, KEY(GOOD_KEY), KEY(GOOD_KEY), VERSION}},
    {"empty key", 400, {UPGRADE, KEY(""), VERSION}},
    {"key of 15 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"key of 17 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAAA="), VERSION}},
    {"key of 18 bytes", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"key without padding", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAAA"), VERSION}},
    {"key too long", 400, {UPGRADE, KEY(GOOD_KEY "="), VERSION}},
    {"key with padding inside", 400, {UPGRADE, KEY("AAAAAAAAAAAAAAAAAAAAA==="), VERSION}},
    {"key with a space", 400, {UPGRADE, KEY("AAAAAAAAAAA AAAAAAAAAA=="), VERSION}},
    {"key in base64url", 400, {UPGRADE, KEY("AAAAAAAAAAA-_AAAAAAAAA=="), VERSION}},
    {"key with high bytes",
     400,
     {UPGRADE,
      KEY("AAAAAAAAAAA\xC3\xA9"
          "AAAAAAAAA=="),
      VERSION}},
    {"no version", 426, {UPGRADE, KEY(GOOD_KEY)}},
    {"version 8", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "8"}}},
    {"version 013", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "013"}}},
    {"version list", 426, {UPGRADE, KEY(GOOD_KEY), {"Sec-WebSocket-Version", "13, 8"}}},
    {"two versions", 426, {UPGRADE, KEY(GOOD_KEY), VERSION, VERSION}},
    {"old version with an old key", 426, {UPGRADE, {"Sec-WebSocket-Version", "7"}}},
};

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

static void checks_headers(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct http_header store[MAX_HEADERS];
    struct http_request request = request_of(rows[i].headers, store);
    struct ws_handshake answer = ws_handshake_check(&request);
    if (answer.status != rows[i].status) fail_msg("%s: %d", rows[i].name, answer.status);
    assert_int_equal(answer.status == 101, answer.reason == NULL);
    assert_int_equal(answer.status == 101 ? WS_ACCEPT_BYTES : 0, strlen(answer.accept));
  }
}

static void checks_the_request_itself(void **state) {
  (void)state;
  struct http_header store[MAX_HEADERS];
  const struct http_request good = request_of(rows[0].headers, store);
  struct http_request bad[] = {good, good, good};
  bad[0].method = HTTP_METHOD_POST;
  bad[1].minor_version = 0;
  bad[2].has_body = true;
  for (size_t i = 0; i < 3; i++) {
    struct ws_handshake answer = ws_handshake_check(&bad[i]);
    assert_int_equal(answer.status, 400);
    assert_non_null(answer.reason);
  }
}

static void computes_accept(void **state) {
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(checks_headers),
      cmocka_unit_test(checks_the_request_itself),
      cmocka_unit_test(computes_accept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
