// The strict guard in front of llhttp: see http_guard.h.
#include "proto/http_guard.h"

#include "proto/http_chars.h"

enum {
  METHOD_MAX = 32,  // longer than any method there is
  BLANK_MAX = 4,    // some clients send one CRLF too many after a body (RFC 9112 2.2)
};

enum state {
  HEAD_START,
  HEAD_BLANK_LF,
  HEAD_METHOD,
  HEAD_TARGET,
  HEAD_VERSION,
  HEAD_LINE_LF,
  HEAD_LINE,
  HEAD_NAME,
  HEAD_VALUE,
  HEAD_LAST_LF,
  HEAD_END,
};

static struct http_failure refuse(int status, const char *reason) {
  return (struct http_failure){status, reason};
}

static const struct http_failure good = {0, NULL};

void http_guard_init(struct http_guard *guard) {
  *guard = (struct http_guard){.state = HEAD_START};
}

bool http_guard_head_is_complete(const struct http_guard *guard) {
  return guard->state == HEAD_END;
}

bool http_guard_is_idle(const struct http_guard *guard) {
  return guard->state == HEAD_START || guard->state == HEAD_BLANK_LF;
}

// Expects the one character `c`, then goes on to `next`.
static struct http_failure expect(struct http_guard *g, char got, char c, enum state next) {
  if (got != c) return refuse(400, "a CR is not followed by LF");
  g->state = (uint8_t)next;
  return good;
}

static struct http_failure step_start(struct http_guard *g, char c) {
  if (c != '\r') {
    g->state = HEAD_METHOD;
    return good;
  }
  if (++g->blank_count > BLANK_MAX) return refuse(400, "too many empty lines before the request");
  g->state = HEAD_BLANK_LF;
  return good;
}

static struct http_failure step_method(struct http_guard *g, const char *p, size_t len, size_t *n) {
  *n = http_chars_run(p, len, HTTP_CHAR_TOKEN);
  g->run += (uint32_t)*n;
  if (g->run > METHOD_MAX) return refuse(501, "the method is unknown");
  if (*n == len) return good;
  if (p[*n] != ' ' || g->run == 0)
    return refuse(400, "the request line does not start with a method");
  ++*n;
  g->run = 0;
  g->state = HEAD_TARGET;
  return good;
}

static struct http_failure step_target(struct http_guard *g, const struct http_limits *limits,
                                       const char *p, size_t len, size_t *n) {
  *n = http_chars_run(p, len, HTTP_CHAR_TARGET);
  g->target_bytes += (uint32_t)*n;
  if (g->target_bytes > limits->url_bytes) return refuse(414, "the request target is too long");
  if (*n == len) return good;
  if (p[*n] == '\r' || p[*n] == '\n') return refuse(400, "the request line has no version");
  if (p[*n] != ' ') return refuse(400, "the request target has a forbidden character");
  if (g->target_bytes == 0) return refuse(400, "the request line has no target");
  ++*n;
  g->state = HEAD_VERSION;
  return good;
}

static struct http_failure step_version(struct http_guard *g, char c) {
  static const char pattern[] = "HTTP/1.1\r";
  enum { MAJOR_AT = 5, MINOR_AT = 7 };
  uint8_t at = g->matched++;
  bool is_digit = c >= '0' && c <= '9';
  if (at == MAJOR_AT && is_digit) {
    g->major_version = (uint8_t)(c - '0');
  } else if (at == MINOR_AT && is_digit) {
    g->minor_version = (uint8_t)(c - '0');
  } else if (c != pattern[at]) {
    return refuse(400, "the request line does not end with a version");
  } else if (c == '\r') {
    if (g->major_version != 1) return refuse(505, "only HTTP/1 is spoken");
    g->state = HEAD_LINE_LF;
  }
  return good;
}

static struct http_failure step_line(struct http_guard *g, const struct http_limits *limits, char c,
                                     size_t *n) {
  if (c == '\r') {
    g->state = HEAD_LAST_LF;
    return good;
  }
  if (c == ' ' || c == '\t') return refuse(400, "a header line is folded");
  if (++g->header_count > limits->header_count) return refuse(431, "there are too many headers");
  g->run = 0;
  g->state = HEAD_NAME;
  *n = 0;
  return good;
}

static struct http_failure step_name(struct http_guard *g, const char *p, size_t len, size_t *n) {
  *n = http_chars_run(p, len, HTTP_CHAR_TOKEN);
  g->run += (uint32_t)*n;
  if (*n == len) return good;
  if (p[*n] != ':' || g->run == 0)
    return refuse(400, "a header name is not a token followed by a colon");
  ++*n;
  g->state = HEAD_VALUE;
  return good;
}

static struct http_failure step_value(struct http_guard *g, const char *p, size_t len, size_t *n) {
  *n = http_chars_run(p, len, HTTP_CHAR_VALUE);
  if (*n == len) return good;
  if (p[*n] != '\r') return refuse(400, "a header value has a control character");
  ++*n;
  g->state = HEAD_LINE_LF;
  return good;
}

// Walks one run of bytes of the same kind; *n is how many.
static struct http_failure step_head(struct http_guard *g, const struct http_limits *limits,
                                     const char *p, size_t len, size_t *n) {
  *n = 1;
  switch ((enum state)g->state) {
    case HEAD_START:
      if (*p != '\r') *n = 0;
      return step_start(g, *p);
    case HEAD_BLANK_LF:
      return expect(g, *p, '\n', HEAD_START);
    case HEAD_METHOD:
      return step_method(g, p, len, n);
    case HEAD_TARGET:
      return step_target(g, limits, p, len, n);
    case HEAD_VERSION:
      return step_version(g, *p);
    case HEAD_LINE_LF:
      return expect(g, *p, '\n', HEAD_LINE);
    case HEAD_LINE:
      return step_line(g, limits, *p, n);
    case HEAD_NAME:
      return step_name(g, p, len, n);
    case HEAD_VALUE:
      return step_value(g, p, len, n);
    case HEAD_LAST_LF:
      return expect(g, *p, '\n', HEAD_END);
    default:
      return refuse(400, "the head is over");
  }
}

struct http_failure http_guard_head(struct http_guard *guard, const struct http_limits *limits,
                                    struct slice in, size_t *used) {
  size_t room = limits->header_bytes - guard->bytes;
  size_t end = in.len < room ? in.len : room;
  size_t at = 0;
  struct http_failure failure = good;
  while (at < end && guard->state != HEAD_END && failure.status == 0) {
    size_t n;
    failure = step_head(guard, limits, in.ptr + at, end - at, &n);
    at += n;
  }
  guard->bytes += (uint32_t)at;
  *used = at;
  if (failure.status != 0 || guard->state == HEAD_END || in.len == end) return failure;
  // One more byte than may be: it is the target's fault while that goes on.
  if (guard->state == HEAD_TARGET) return refuse(414, "the request target is too long");
  return refuse(431, "the request head is too large");
}
