// The character classes of HTTP: see http_chars.h.
#include "proto/http_chars.h"

// Short names, because the table reads best with a row for each kind of character.
enum {
  V = HTTP_CHAR_VALUE,
  G = HTTP_CHAR_VALUE | HTTP_CHAR_TARGET,  // visible characters
  T = HTTP_CHAR_TOKEN,
  C = HTTP_CHAR_COOKIE,
  H = HTTP_CHAR_HOST,
  X = HTTP_CHAR_HEX,
};

const uint8_t http_chars[256] = {
    ['\t'] = V,
    [' '] = V,
    [0x80 ... 0xff] = V,
    ['0' ... '9'] = G | T | C | H | X,
    ['A' ... 'F'] = G | T | C | H | X,
    ['G' ... 'Z'] = G | T | C | H,
    ['a' ... 'f'] = G | T | C | H | X,
    ['g' ... 'z'] = G | T | C | H,
    ['!'] = G | T | C | H,
    ['$'] = G | T | C | H,
    ['&'] = G | T | C | H,
    ['\''] = G | T | C | H,
    ['*'] = G | T | C | H,
    ['+'] = G | T | C | H,
    ['-'] = G | T | C | H,
    ['.'] = G | T | C | H,
    ['_'] = G | T | C | H,
    ['~'] = G | T | C | H,
    ['#'] = G | T | C,
    ['^'] = G | T | C,
    ['`'] = G | T | C,
    ['|'] = G | T | C,
    ['('] = G | C | H,
    [')'] = G | C | H,
    ['='] = G | C | H,
    ['/'] = G | C,
    [':'] = G | C,
    ['?'] = G | C,
    ['@'] = G | C,
    ['['] = G | C,
    [']'] = G | C,
    ['{'] = G | C,
    ['}'] = G | C,
    [';'] = G | H,  // part of a registered name, but ends a cookie's value
    // A comma may stand in a registered name, but there it is nearly always two Host
    // headers that someone joined.
    [','] = G,
    // It may, too, but no client sends it.
    ['%'] = G | T | C,
    ['\\'] = G,
    // The ones that no URL has bare. Of the others that RFC 3986 wants encoded, every
    // browser leaves some as they are: ^ ` | { } [ ] and, in the query, \.
    ['"'] = V,
    ['<'] = V | C,
    ['>'] = V | C,
};
