// The chunked transfer coding: see http_chunks.h.
#include "proto/http_chunks.h"

#include "proto/http_chars.h"

enum { DIGITS_MAX = 16 };  // of 64 bits

enum state {
  CHUNK_SIZE,
  CHUNK_SIZE_LF,
  CHUNK_DATA,
  CHUNK_DATA_CR,
  CHUNK_DATA_LF,
  EXTENSION_NEXT,
  EXTENSION_BEFORE_NAME,
  EXTENSION_NAME,
  EXTENSION_AFTER_NAME,
  EXTENSION_BEFORE_VALUE,
  EXTENSION_VALUE,
  EXTENSION_QUOTED,
  EXTENSION_ESCAPED,
  EXTENSION_UNQUOTED,
  TRAILER_LINE,
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  TRAILER_LAST_LF,
  TRAILER_END,
};

// What is skipped, but has to be well formed: trailer lines, of which every body has
// an empty one, and extensions (RFC 9112 7.1.1, with the white space that 9110 5.6.3
// wants to be taken). The first row of a state that has the character or its class
// tells the next state; no row: malformed.
static const struct skip {
  uint8_t state, next;
  const char *characters;
  uint8_t classes;
} skips[] = {
    {TRAILER_LINE, TRAILER_LAST_LF, "\r", 0},
    {TRAILER_LINE, TRAILER_NAME, "", HTTP_CHAR_TOKEN},
    {TRAILER_NAME, TRAILER_NAME, "", HTTP_CHAR_TOKEN},
    {TRAILER_NAME, TRAILER_VALUE, ":", 0},
    {TRAILER_VALUE, TRAILER_VALUE, "", HTTP_CHAR_VALUE},
    {TRAILER_VALUE, TRAILER_LF, "\r", 0},
    {EXTENSION_NEXT, EXTENSION_NEXT, " \t", 0},
    {EXTENSION_NEXT, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_BEFORE_NAME, EXTENSION_BEFORE_NAME, " \t", 0},
    {EXTENSION_BEFORE_NAME, EXTENSION_NAME, "", HTTP_CHAR_TOKEN},
    {EXTENSION_NAME, EXTENSION_NAME, "", HTTP_CHAR_TOKEN},
    {EXTENSION_NAME, EXTENSION_AFTER_NAME, " \t", 0},
    {EXTENSION_NAME, EXTENSION_BEFORE_VALUE, "=", 0},
    {EXTENSION_NAME, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_NAME, CHUNK_SIZE_LF, "\r", 0},
    {EXTENSION_AFTER_NAME, EXTENSION_AFTER_NAME, " \t", 0},
    {EXTENSION_AFTER_NAME, EXTENSION_BEFORE_VALUE, "=", 0},
    {EXTENSION_AFTER_NAME, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_BEFORE_VALUE, EXTENSION_BEFORE_VALUE, " \t", 0},
    {EXTENSION_BEFORE_VALUE, EXTENSION_QUOTED, "\"", 0},
    {EXTENSION_BEFORE_VALUE, EXTENSION_VALUE, "", HTTP_CHAR_TOKEN},
    {EXTENSION_VALUE, EXTENSION_VALUE, "", HTTP_CHAR_TOKEN},
    {EXTENSION_VALUE, EXTENSION_NEXT, " \t", 0},
    {EXTENSION_VALUE, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_VALUE, CHUNK_SIZE_LF, "\r", 0},
    {EXTENSION_QUOTED, EXTENSION_ESCAPED, "\\", 0},
    {EXTENSION_QUOTED, EXTENSION_UNQUOTED, "\"", 0},
    {EXTENSION_QUOTED, EXTENSION_QUOTED, "", HTTP_CHAR_VALUE},
    {EXTENSION_ESCAPED, EXTENSION_QUOTED, "", HTTP_CHAR_VALUE},
    {EXTENSION_UNQUOTED, EXTENSION_NEXT, " \t", 0},
    {EXTENSION_UNQUOTED, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_UNQUOTED, CHUNK_SIZE_LF, "\r", 0},
};

static struct http_failure refuse(int status, const char *reason) {
  return (struct http_failure){status, reason};
}

static const struct http_failure good = {0, NULL};

void http_chunks_init(struct http_chunks *chunks) {
  *chunks = (struct http_chunks){.state = CHUNK_SIZE};
}

// Expects the one character `c`, then goes on to `next`.
static struct http_failure expect(struct http_chunks *chunks, char got, char c, enum state next) {
  if (got != c) return refuse(400, "a chunk line does not end with CRLF");
  chunks->state = (uint8_t)next;
  return good;
}

static struct http_failure step_size(struct http_chunks *chunks, char c) {
  if (http_char_is(c, HTTP_CHAR_HEX)) {
    if (++chunks->digit_count > DIGITS_MAX) return refuse(400, "a chunk size is too long");
    unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
    chunks->left = chunks->left << 4 | digit;
    return good;
  }
  if (chunks->digit_count > 0 && c == '\r') {
    chunks->state = CHUNK_SIZE_LF;
  } else if (chunks->digit_count > 0 && (c == ';' || c == ' ' || c == '\t')) {
    chunks->state = c == ';' ? EXTENSION_BEFORE_NAME : EXTENSION_NEXT;
  } else {
    return refuse(400, "a chunk size is not a hex number");
  }
  return good;
}

static struct http_failure step_size_lf(struct http_chunks *chunks,
                                        const struct http_limits *limits, char c) {
  struct http_failure failure =
      expect(chunks, c, '\n', chunks->left > 0 ? CHUNK_DATA : TRAILER_LINE);
  if (failure.status == 0 && chunks->left > limits->body_bytes - chunks->body_bytes)
    return refuse(413, "the body is too large");
  chunks->body_bytes += chunks->left;
  return failure;
}

static struct http_failure step_skipped(struct http_chunks *chunks,
                                        const struct http_limits *limits, char c) {
  if (c != '\r' && ++chunks->skipped_bytes > limits->header_bytes)
    return refuse(431, "chunk extensions and trailers are too large");
  for (size_t i = 0; i < sizeof skips / sizeof *skips; i++) {
    if (skips[i].state != chunks->state) continue;
    bool is_named = c != '\0' && strchr(skips[i].characters, c) != NULL;
    if (!is_named && !http_char_is(c, skips[i].classes)) continue;
    chunks->state = skips[i].next;
    return good;
  }
  return refuse(400, "a chunk extension or a trailer is malformed");
}

static struct http_failure step(struct http_chunks *chunks, const struct http_limits *limits,
                                char c) {
  switch ((enum state)chunks->state) {
    case CHUNK_SIZE:
      return step_size(chunks, c);
    case CHUNK_SIZE_LF:
      return step_size_lf(chunks, limits, c);
    case CHUNK_DATA_CR:
      return expect(chunks, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
      chunks->digit_count = 0;
      return expect(chunks, c, '\n', CHUNK_SIZE);
    case TRAILER_LF:
      return expect(chunks, c, '\n', TRAILER_LINE);
    case TRAILER_LAST_LF:
      return expect(chunks, c, '\n', TRAILER_END);
    default:
      return step_skipped(chunks, limits, c);
  }
}

static struct slice take_data(struct http_chunks *chunks, struct slice in) {
  if (in.len > chunks->left) in.len = (size_t)chunks->left;
  chunks->left -= in.len;
  if (chunks->left == 0) chunks->state = CHUNK_DATA_CR;
  return in;
}

enum http_event http_chunks_feed(struct http_chunks *chunks, const struct http_limits *limits,
                                 struct slice in, size_t *consumed, struct slice *body,
                                 struct http_failure *failure) {
  size_t at = 0;
  while (at < in.len && chunks->state != TRAILER_END) {
    if (chunks->state == CHUNK_DATA) {
      *body = take_data(chunks, slice_of(in.ptr + at, in.len - at));
      *consumed = at + body->len;
      return HTTP_BODY;
    }
    *failure = step(chunks, limits, in.ptr[at++]);
    if (failure->status != 0) return HTTP_FAILED;
  }
  *consumed = at;
  return chunks->state == TRAILER_END ? HTTP_DONE : HTTP_MORE;
}
