// The character classes of HTTP (RFC 9110 5.5 and 5.6.2, RFC 6265 4.1.1) as one
// table, so that parser, response writer and cookies agree on them.
#ifndef TIDEGATE_PROTO_HTTP_CHARS_H
#define TIDEGATE_PROTO_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
  HTTP_CHAR_TOKEN = 1,   // methods, header names, cookie names
  HTTP_CHAR_VALUE = 2,   // header values: visible, space, tab and bytes over 127
  HTTP_CHAR_TARGET = 4,  // request targets: visible ASCII that a URL may have
  HTTP_CHAR_HEX = 8,
  HTTP_CHAR_COOKIE = 16,  // cookie values
  HTTP_CHAR_HOST = 32,    // registered names in Host
};

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, unsigned classes) {
  return (http_chars[(unsigned char)c] & classes) != 0;
}

// How many bytes from the front of ptr[0..len) belong to one of `classes`.
static inline size_t http_chars_run(const char *ptr, size_t len, unsigned classes) {
  size_t n = 0;
  while (n < len && http_char_is(ptr[n], classes)) n++;
  return n;
}

static inline bool http_chars_are(struct slice text, unsigned classes) {
  return http_chars_run(text.ptr, text.len, classes) == text.len;
}

#endif
