// The framing of chunked bodies: see http_chunks.h.
#include "proto/http_chunks.h"

#include "proto/http_chars.h"

enum { DIGITS_MAX = 16 };

enum state {
  CHUNK_SIZE,
  EXTENSION_BEFORE_NAME,
  EXTENSION_NAME,
  EXTENSION_BEFORE_VALUE,
  EXTENSION_VALUE,
  EXTENSION_QUOTED,
  EXTENSION_UNQUOTED,
  CHUNK_SIZE_LF,
  CHUNK_DATA,
  CHUNK_DATA_CR,
  CHUNK_DATA_LF,
  TRAILER_LINE,
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  TRAILER_LAST_LF,
  TRAILER_END,
};

// What is skipped, but has to be well formed: trailer lines, of which every body has
// an empty one, and extensions (RFC 9112 7.1.1; llhttp takes neither white space nor
// backslashes in them). The first row of a state that has the character or its class tells the next
// state; no row: malformed.
static const struct step {
  uint8_t state, next;
  const char *characters;
  uint8_t classes;
} steps[] = {
    {TRAILER_LINE, TRAILER_LAST_LF, "\r", 0},
    {TRAILER_LINE, TRAILER_NAME, "", HTTP_CHAR_TOKEN},
    {TRAILER_NAME, TRAILER_NAME, "", HTTP_CHAR_TOKEN},
    {TRAILER_NAME, TRAILER_VALUE, ":", 0},
    {TRAILER_VALUE, TRAILER_VALUE, "", HTTP_CHAR_VALUE},
    {TRAILER_VALUE, TRAILER_LF, "\r", 0},
    {EXTENSION_BEFORE_NAME, EXTENSION_NAME, "", HTTP_CHAR_TOKEN},
    {EXTENSION_NAME, EXTENSION_NAME, "", HTTP_CHAR_TOKEN},
    {EXTENSION_NAME, EXTENSION_BEFORE_VALUE, "=", 0},
    {EXTENSION_NAME, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_NAME, CHUNK_SIZE_LF, "\r", 0},
    {EXTENSION_BEFORE_VALUE, EXTENSION_QUOTED, "\"", 0},
    {EXTENSION_BEFORE_VALUE, EXTENSION_VALUE, "", HTTP_CHAR_TOKEN},
    {EXTENSION_VALUE, EXTENSION_VALUE, "", HTTP_CHAR_TOKEN},
    {EXTENSION_VALUE, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_VALUE, CHUNK_SIZE_LF, "\r", 0},
    {EXTENSION_QUOTED, EXTENSION_UNQUOTED, "\"", 0},
    {EXTENSION_QUOTED, EXTENSION_QUOTED, "", HTTP_CHAR_VALUE},
    {EXTENSION_UNQUOTED, EXTENSION_BEFORE_NAME, ";", 0},
    {EXTENSION_UNQUOTED, CHUNK_SIZE_LF, "\r", 0},
};

static struct http_failure refuse(int status, const char *reason) {
  return (struct http_failure){status, reason};
}

static const struct http_failure good = {0, NULL};

void http_chunks_init(struct http_chunks *chunks) {
  *chunks = (struct http_chunks){.state = CHUNK_SIZE, .is_last = true};
}

bool http_chunks_are_complete(const struct http_chunks *chunks) {
  return chunks->state == TRAILER_END;
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
    if (c != '0') chunks->is_last = false;
    return good;
  }
  if (chunks->digit_count == 0 || (c != ';' && c != '\r'))
    return refuse(400, "a chunk size is not a hex number");
  chunks->state = c == ';' ? EXTENSION_BEFORE_NAME : CHUNK_SIZE_LF;
  return good;
}

static struct http_failure step_skipped(struct http_chunks *chunks,
                                        const struct http_limits *limits, char c) {
  if (c != '\r' && ++chunks->bytes > limits->header_bytes)
    return refuse(431, "chunk extensions and trailers are too large");
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    if (steps[i].state != chunks->state) continue;
    if (!http_char_is(c, steps[i].classes) && (c == '\0' || strchr(steps[i].characters, c) == NULL))
      continue;
    chunks->state = steps[i].next;
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
      return expect(chunks, c, '\n', chunks->is_last ? TRAILER_LINE : CHUNK_DATA);
    case CHUNK_DATA_CR:
      return expect(chunks, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
      chunks->digit_count = 0;
      chunks->is_last = true;
      return expect(chunks, c, '\n', CHUNK_SIZE);
    case TRAILER_LF:
      return expect(chunks, c, '\n', TRAILER_LINE);
    case TRAILER_LAST_LF:
      return expect(chunks, c, '\n', TRAILER_END);
    case CHUNK_DATA:
    case TRAILER_END:
      return refuse(400, "the chunked body is malformed");
    default:
      return step_skipped(chunks, limits, c);
  }
}

struct http_failure http_chunks_framing(struct http_chunks *chunks,
                                        const struct http_limits *limits, struct slice in) {
  struct http_failure failure = good;
  for (size_t i = 0; i < in.len && failure.status == 0; i++)
    failure = step(chunks, limits, in.ptr[i]);
  return failure;
}

struct http_failure http_chunks_data(struct http_chunks *chunks) {
  bool is_expected = chunks->state == CHUNK_DATA || chunks->state == CHUNK_DATA_CR;
  if (!is_expected) return refuse(400, "the chunked body is malformed");
  chunks->state = CHUNK_DATA_CR;
  return good;
}
