// A borrowed run of bytes. Never owns memory and is never NUL-terminated.
#ifndef TIDEGATE_BASE_SLICE_H
#define TIDEGATE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
  const char *ptr;
  size_t len;
};

static inline struct slice slice_of(const char *ptr, size_t len) {
  return (struct slice){ptr, len};
}

// Borrows a C string, which may be NULL (an empty slice).
static inline struct slice slice_str(const char *text) {
  return (struct slice){text, text != NULL ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

// Compares as HTTP field names and tokens do: ASCII letters without case.
static inline bool slice_equal_nocase(struct slice a, struct slice b) {
  return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts_nocase(struct slice text, struct slice prefix) {
  return text.len >= prefix.len && slice_equal_nocase(slice_of(text.ptr, prefix.len), prefix);
}

// Drops spaces and tabs (HTTP's OWS, RFC 9110 section 5.6.3) at both ends.
static inline struct slice slice_trim(struct slice s) {
  while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) s.ptr++, s.len--;
  while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
  return s;
}

// Takes what is in front of the first separator off *rest, and the separator with it.
// True when there was one. False: *front is all there was, and *rest is empty.
static inline bool slice_split(struct slice *rest, char separator, struct slice *front) {
  const char *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
  *front = slice_of(rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len);
  size_t taken = front->len + (at != NULL);
  *rest = slice_of(rest->ptr + taken, rest->len - taken);
  return at != NULL;
}

#endif
