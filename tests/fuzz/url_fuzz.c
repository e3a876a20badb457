// URL pieces: percent-decoding, dot segments and pairs, each against a naive
// reading of RFC 3986 and of the URL standard.
#include "proto/url.h"

#include <ctype.h>

#include "base/mem.h"
#include "fuzz.h"

// The byte of the percent code at text[i], -1 where there is none.
static int code_at(struct slice text, size_t i) {
  char hex[3] = {0};
  for (size_t k = 1; k <= 2; k++) {
    if (i + k >= text.len || !isxdigit((unsigned char)text.ptr[i + k])) return -1;
    hex[k - 1] = text.ptr[i + k];
  }
  return (int)strtoul(hex, NULL, 16);
}

// Appends the decoded text of a path; false for a malformed code or NUL.
static bool decode_naively(struct slice text, struct buf *out) {
  for (size_t i = 0; i < text.len; i++) {
    int c = (unsigned char)text.ptr[i];
    if (c == '%') {
      c = code_at(text, i);
      i += 2;
    }
    if (c <= 0) return false;
    buf_append_char(out, (char)c);
  }
  return true;
}

static void decode_form_naively(struct slice text, struct buf *out) {
  for (size_t i = 0; i < text.len; i++) {
    int code = text.ptr[i] == '%' ? code_at(text, i) : -1;
    buf_append_char(out, code >= 0 ? (char)code : text.ptr[i] == '+' ? ' ' : text.ptr[i]);
    if (code >= 0) i += 2;
  }
}

static void check_decode(struct slice text) {
  char *got = mem_zalloc(text.len + 1);
  struct buf path = {0}, form = {0};
  bool is_good = decode_naively(text, &path);
  long len = url_decode(text, got);
  assert_int_equal(len >= 0, is_good);
  if (is_good) fuzz_expect_slice(slice_of(got, (size_t)len), buf_slice(&path), "decoded");
  decode_form_naively(text, &form);
  fuzz_expect_slice(slice_of(got, url_decode_form(text, got)), buf_slice(&form), "decoded form");
  free(got);
  buf_free(&path);
  buf_free(&form);
}

static bool segment_is(struct slice segment, const char *dots) {
  struct buf decoded = {0};
  bool is_equal =
      decode_naively(segment, &decoded) && slice_equal(buf_slice(&decoded), slice_str(dots));
  buf_free(&decoded);
  return is_equal;
}

// A bare backslash, or a control character in any spelling.
static bool has_forbidden(struct slice path) {
  struct buf decoded = {0};
  bool found = !decode_naively(path, &decoded) || memchr(path.ptr, '\\', path.len);
  for (size_t i = 0; !found && i < decoded.end; i++)
    found = iscntrl((unsigned char)decoded.data[i]);
  buf_free(&decoded);
  return found;
}

// Puts segments on a stack that ".." pops. False when the path is to be refused.
static bool normalize_naively(struct slice path, struct buf *out) {
  if (path.len == 0 || path.ptr[0] != '/' || has_forbidden(path)) return false;
  for (size_t from = 0, end; from < path.len; from = end) {
    for (end = from + 1; end < path.len && path.ptr[end] != '/';) end++;
    struct slice segment = slice_of(path.ptr + from + 1, end - from - 1);
    bool is_dot = segment_is(segment, "."), is_up = segment_is(segment, "..");
    if (is_up) {
      if (buf_len(out) == 0) return false;
      while (out->data[--out->end] != '/') continue;
    }
    if (!is_dot && !is_up) buf_append(out, path.ptr + from, end - from);
    if ((is_dot || is_up) && end == path.len) buf_append_char(out, '/');
  }
  return true;
}

static void check_normalize(struct slice path) {
  struct buf got = {0}, expected = {0};
  buf_append_slice(&got, path);
  bool is_good = normalize_naively(path, &expected);
  long len = url_normalize_path(got.data, path.len);
  assert_int_equal(len >= 0, is_good);
  if (is_good) {
    struct slice once = slice_of(got.data, (size_t)len);
    fuzz_expect_slice(once, buf_slice(&expected), "normalized");
    assert_int_equal(url_normalize_path(got.data, once.len), len);
    fuzz_expect_slice(once, buf_slice(&expected), "normalized twice");
  }
  buf_free(&got);
  buf_free(&expected);
}

// The pairs, put together again, are the text without its empty pairs.
static void check_pairs(struct slice text) {
  struct buf joined = {0}, expected = {0};
  struct slice rest = text, name, value;
  while (url_next_pair(&rest, &name, &value)) {
    assert_true(value.ptr >= name.ptr + name.len && value.ptr + value.len <= text.ptr + text.len);
    buf_append(&joined, name.ptr, (size_t)(value.ptr + value.len - name.ptr));
    buf_append_char(&joined, '&');
    assert_null(memchr(name.ptr, '=', name.len));
  }
  for (size_t i = 0; i < text.len; i++) {
    bool is_empty = text.ptr[i] == '&' && (i == 0 || text.ptr[i - 1] == '&');
    if (!is_empty) buf_append_char(&expected, text.ptr[i]);
  }
  if (text.len > 0 && text.ptr[text.len - 1] != '&') buf_append_char(&expected, '&');
  fuzz_expect_slice(buf_slice(&joined), buf_slice(&expected), "pairs");
  buf_free(&joined);
  buf_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  check_decode(in);
  check_normalize(in);
  if (size > 0) check_pairs(in);
  return 0;
}
