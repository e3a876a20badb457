// URL pieces: see url.h.
#include "proto/url.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the percent code at text[at] stands for, -1 when it is malformed.
static int decode_percent(struct slice text, size_t at) {
  if (text.len - at < 3) return -1;
  int high = hex_value(text.ptr[at + 1]), low = hex_value(text.ptr[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

long url_decode(struct slice text, char *out) {
  long n = 0;
  for (size_t i = 0; i < text.len; i++) {
    int c = (unsigned char)text.ptr[i];
    if (c == '%') {
      c = decode_percent(text, i);
      i += 2;
    }
    if (c <= 0) return -1;
    out[n++] = (char)c;
  }
  return n;
}

size_t url_decode_form(struct slice text, char *out) {
  size_t n = 0;
  for (size_t i = 0; i < text.len; i++) {
    int code = text.ptr[i] == '%' ? decode_percent(text, i) : -1;
    out[n++] = code >= 0 ? (char)code : text.ptr[i] == '+' ? ' ' : text.ptr[i];
    if (code >= 0) i += 2;
  }
  return n;
}

// True when every percent code is well formed, nothing decodes to a control character,
// and there is no backslash, which some readers take for a slash.
static bool path_is_clean(struct slice path) {
  for (size_t i = 0; i < path.len; i++) {
    int c = (unsigned char)path.ptr[i];
    if (c == '\\') return false;
    if (c == '%') {
      c = decode_percent(path, i);
      i += 2;
    }
    if (c < ' ' || c == 0x7f) return false;
  }
  return true;
}

// How many dots a segment consists of when it is "." or "..", in either
// spelling; 0 for every other segment.
static int segment_dots(struct slice segment) {
  int dots = 0;
  for (size_t i = 0; i < segment.len; dots++) {
    if (dots == 2) return 0;
    if (segment.ptr[i] == '.')
      i += 1;
    else if (segment.ptr[i] == '%' && decode_percent(segment, i) == '.')
      i += 3;
    else
      return 0;
  }
  return dots;
}

long url_normalize_path(char *path, size_t len) {
  if (len == 0 || path[0] != '/' || !path_is_clean(slice_of(path, len))) return -1;
  size_t to = 0;  // path[0..to) is done; it never passes `from`
  for (size_t from = 0; from < len;) {
    // One segment with the '/' in front of it.
    const char *slash = memchr(path + from + 1, '/', len - from - 1);
    size_t end = slash != NULL ? (size_t)(slash - path) : len;
    int dots = segment_dots(slice_of(path + from + 1, end - from - 1));
    if (dots == 2) {
      if (to == 0) return -1;
      while (path[--to] != '/') continue;
    }
    if (dots == 0) {
      memmove(path + to, path + from, end - from);
      to += end - from;
    } else if (end == len) {
      path[to++] = '/';  // "/a/." and "/a/b/.." name the folder "/a/"
    }
    from = end;
  }
  return (long)to;
}

bool url_next_pair(struct slice *rest, struct slice *name, struct slice *value) {
  *value = (struct slice){0};
  while (value->len == 0) {
    if (rest->len == 0) return false;
    slice_split(rest, '&', value);
  }
  slice_split(value, '=', name);
  return true;
}
