// Cookies: see cookie.h.
#include "proto/cookie.h"

#include "proto/http_chars.h"

// Browsers drop a cookie whose Set-Cookie is longer than this.
enum { COOKIE_MAX_BYTES = 4096 };

static struct slice unquote(struct slice v) {
  if (v.len < 2 || v.ptr[0] != '"' || v.ptr[v.len - 1] != '"') return v;
  return slice_of(v.ptr + 1, v.len - 2);
}

bool cookie_next(struct slice *rest, struct slice *name, struct slice *value) {
  while (rest->len > 0) {
    struct slice text, piece;
    slice_split(rest, ';', &text);
    if (!slice_split(&text, '=', &piece)) continue;
    *name = slice_trim(piece);
    *value = unquote(slice_trim(text));
    if (name->len > 0) return true;
  }
  return false;
}

static bool has_prefix(struct slice text, const char *prefix) {
  size_t len = strlen(prefix);
  return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

// The canonical spelling, NULL when it is none of the three.
static const char *same_site_of(struct slice text) {
  static const char *const values[] = {"Lax", "Strict", "None"};
  if (text.len == 0) return values[0];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    if (slice_equal_nocase(text, slice_str(values[i]))) return values[i];
  }
  return NULL;
}

static bool path_is_valid(struct slice path) {
  if (path.len == 0) return true;
  return path.ptr[0] == '/' && http_chars_are(path, HTTP_CHAR_VALUE) &&
         memchr(path.ptr, ';', path.len) == NULL;
}

static bool domain_is_valid(struct slice domain) {
  return http_chars_are(domain, HTTP_CHAR_HOST) &&
         (domain.len == 0 || memchr(domain.ptr, ';', domain.len) == NULL);
}

// Browsers ignore a cookie whose name promises what its attributes do not keep
// (RFC 6265bis 4.1.3): better told here than searched for there.
static const char *check_prefix(struct slice name, const struct cookie_options *o) {
  bool is_host = has_prefix(name, "__Host-");
  if ((is_host || has_prefix(name, "__Secure-")) && !o->secure) {
    return "a cookie named __Host- or __Secure- must be secure";
  }
  bool is_root = o->path.len == 0 || (o->path.len == 1 && o->path.ptr[0] == '/');
  if (is_host && (!is_root || o->domain.len > 0)) {
    return "a cookie named __Host- has the path / and no domain";
  }
  return NULL;
}

static const char *check_arguments(struct slice name, struct slice value,
                                   const struct cookie_options *o) {
  if (name.len == 0 || !http_chars_are(name, HTTP_CHAR_TOKEN))
    return "a cookie's name must be a token";
  if (!http_chars_are(value, HTTP_CHAR_COOKIE)) {
    return "a cookie's value may not hold space, comma, semicolon, quote, backslash or control "
           "characters";
  }
  if (!path_is_valid(o->path))
    return "a cookie's path starts with / and has no semicolon or control character";
  if (!domain_is_valid(o->domain)) return "a cookie's domain is not a host name";
  const char *same_site = same_site_of(o->same_site);
  if (same_site == NULL) return "same_site is one of Lax, Strict and None";
  if (same_site[0] == 'N' && !o->secure) return "same_site None needs a secure cookie";
  if (name.len + value.len + o->path.len + o->domain.len > COOKIE_MAX_BYTES) {
    return "a cookie is at most 4096 bytes";
  }
  return check_prefix(name, o);
}

const char *cookie_write(struct buf *out, struct slice name, struct slice value,
                         const struct cookie_options *options) {
  const char *wrong = check_arguments(name, value, options);
  if (wrong != NULL) return wrong;
  buf_append_slice(out, name);
  buf_append_char(out, '=');
  buf_append_slice(out, value);
  buf_append_str(out, "; Path=");
  buf_append_slice(out, options->path.len > 0 ? options->path : slice_str("/"));
  if (options->domain.len > 0) {
    buf_append_str(out, "; Domain=");
    buf_append_slice(out, options->domain);
  }
  if (options->max_age_s >= 0) buf_printf(out, "; Max-Age=%lld", (long long)options->max_age_s);
  if (options->secure) buf_append_str(out, "; Secure");
  if (options->http_only) buf_append_str(out, "; HttpOnly");
  buf_append_str(out, "; SameSite=");
  buf_append_str(out, same_site_of(options->same_site));
  return NULL;
}
