// Cookies: what a Cookie header gives never holds what separates cookies, and
// what Set-Cookie is written is one cookie with the attributes asked for.
#include "proto/cookie.h"

#include "fuzz.h"

static bool has_any(struct slice text, const char *chars) {
  for (size_t i = 0; i < text.len; i++) {
    if (strchr(chars, text.ptr[i]) != NULL && text.ptr[i] != '\0') return true;
  }
  return false;
}

static void check_read(struct slice header) {
  struct slice rest = header, name, value;
  size_t count = 0, semicolons = 0;
  for (size_t i = 0; i < header.len; i++) semicolons += header.ptr[i] == ';';
  for (; cookie_next(&rest, &name, &value); count++) {
    assert_true(name.len > 0 && !has_any(name, "=;") && !has_any(value, ";"));
    assert_true(slice_equal(name, slice_trim(name)));
    assert_true(name.ptr >= header.ptr && value.ptr + value.len <= rest.ptr);
  }
  assert_int_equal(rest.len, 0);
  assert_true(count <= semicolons + 1);
}

// Takes the next attribute, after "; ", off the front.
static struct slice next_attribute(struct slice *rest) {
  const char *end = memchr(rest->ptr, ';', rest->len);
  struct slice attribute = slice_of(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
  *rest = slice_of(attribute.ptr + attribute.len, rest->len - attribute.len);
  if (rest->len == 0) return attribute;
  assert_true(rest->len > 2 && rest->ptr[1] == ' ');
  *rest = slice_of(rest->ptr + 2, rest->len - 2);
  return attribute;
}

static void expect_attribute(struct slice *rest, const char *name, struct slice value) {
  struct buf expected = {0};
  buf_append_str(&expected, name);
  buf_append_slice(&expected, value);
  fuzz_expect_slice(next_attribute(rest), buf_slice(&expected), "attribute");
  buf_free(&expected);
}

static void check_written(struct slice text, struct slice name, struct slice value,
                          const struct cookie_options *o) {
  struct slice pair = text, got_name, got_value;
  assert_false(has_any(text, "\r\n") || memchr(text.ptr, '\0', text.len) != NULL);
  assert_true(cookie_next(&pair, &got_name, &got_value));
  fuzz_expect_slice(got_name, name, "name");
  fuzz_expect_slice(got_value, value, "value");
  next_attribute(&text);
  expect_attribute(&text, "Path=", o->path.len > 0 ? o->path : slice_str("/"));
  if (o->domain.len > 0) expect_attribute(&text, "Domain=", o->domain);
  if (o->max_age_s >= 0)
    expect_attribute(&text, "Max-Age=", slice_str(o->max_age_s > 0 ? "77" : "0"));
  if (o->secure) expect_attribute(&text, "Secure", slice_str(""));
  if (o->http_only) expect_attribute(&text, "HttpOnly", slice_str(""));
  struct slice same_site = next_attribute(&text);
  assert_true(same_site.len >= 12 && memcmp(same_site.ptr, "SameSite=", 9) == 0);
  assert_int_equal(text.len, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  check_read(in);
  uint8_t flags = fuzz_take_byte(&in);
  struct slice name = fuzz_take_field(&in), value = fuzz_take_field(&in);
  struct cookie_options options = {.path = fuzz_take_field(&in),
                                   .domain = fuzz_take_field(&in),
                                   .same_site = fuzz_take_field(&in),
                                   .max_age_s = flags & 1   ? 77
                                                : flags & 2 ? 0
                                                            : -1,
                                   .secure = flags & 4,
                                   .http_only = flags & 8};
  struct buf out = {0};
  const char *wrong = cookie_write(&out, name, value, &options);
  if (wrong == NULL)
    check_written(buf_slice(&out), name, value, &options);
  else
    assert_int_equal(buf_len(&out), 0);
  buf_free(&out);
  fuzz_release();
  return 0;
}
