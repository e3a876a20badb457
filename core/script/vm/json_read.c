// A recursive reader: see json_read.h. Each function begins at its first byte and ends behind
// its last, with the value on the stack; or it returns false, with the fault told and
// anything on the stack.
#include "script/vm/json_read.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

// Members wait on the stack until this many are there or the value ends, so that most
// tables are made at their full size.
enum { HELD_MEMBERS = 32 };

// Beyond the digits that any text has: what is larger decides alone.
#define EXPONENT_MAX (LONG_MAX / 100)

struct reader {
  lua_State *L;
  const char *at, *start, *end;
  int list;
  int depth;
};

static bool read_value(struct reader *r);

// ---- faults --------------------------------------------------------------

static bool fail(struct reader *r, const char *message) {
  lua_pushstring(r->L, message);
  return false;
}

static bool fail_expected(struct reader *r, const char *what) {
  lua_Integer place = r->at - r->start + 1;
  if (r->at >= r->end) {
    lua_pushfstring(r->L, "Expected %s but found the end at byte %I", what, place);
    return false;
  }
  unsigned char c = (unsigned char)*r->at;
  char found[16];
  snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02X", c);
  lua_pushfstring(r->L, "Expected %s but found %s at byte %I", what, found, place);
  return false;
}

// ---- parts ---------------------------------------------------------------

static inline char peek(const struct reader *r) { return r->at < r->end ? *r->at : '\0'; }

static inline void skip_space(struct reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++;
}

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool read_word(struct reader *r, const char *word, size_t len) {
  if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
    return fail_expected(r, "a value");
  r->at += len;
  return true;
}

// ---- numbers -------------------------------------------------------------

struct digits {
  uint64_t whole;  // all digits as one number, while is_exact
  long point;      // digits behind the point
  long exponent;
  bool is_exact, is_plain;  // whole is right; neither point nor exponent
};

static void add_digits(struct reader *r, struct digits *d) {
  for (; is_digit(peek(r)); r->at++) {
    uint64_t digit = (uint64_t)(*r->at - '0');
    if (d->whole >= UINT64_MAX / 10)  // more than 64 bits of a Lua integer in any case
      d->is_exact = false;
    else
      d->whole = d->whole * 10 + digit;
  }
}

static bool read_digits(struct reader *r, struct digits *d) {
  if (!is_digit(peek(r)))
    return peek(r) == '.' ? fail(r, "a number must have digits on both sides of its point")
                          : fail_expected(r, "a digit");
  if (peek(r) == '0') {
    r->at++;
    if (is_digit(peek(r))) return fail(r, "a number must not begin with zeros");
  } else {
    add_digits(r, d);
  }
  if (peek(r) == '.') {
    const char *point = r->at++;
    d->is_plain = false;
    if (!is_digit(peek(r))) return fail(r, "a number must have digits on both sides of its point");
    add_digits(r, d);
    d->point = (long)(r->at - point - 1);
  }
  return true;
}

static bool read_exponent(struct reader *r, struct digits *d) {
  if (peek(r) != 'e' && peek(r) != 'E') return true;
  r->at++;
  d->is_plain = false;
  bool is_negative = peek(r) == '-';
  if (is_negative || peek(r) == '+') r->at++;
  if (!is_digit(peek(r))) return fail_expected(r, "a digit");
  for (; is_digit(peek(r)); r->at++)
    if (d->exponent < EXPONENT_MAX) d->exponent = d->exponent * 10 + (*r->at - '0');
  if (is_negative) d->exponent = -d->exponent;
  return true;
}

// By strtod, which wants a NUL behind the text. Its room must not be part of the frame of
// read_value, as in push_unescaped: a thousand of these may stand on the stack.
__attribute__((noinline)) static double read_slowly(struct reader *r, const char *start) {
  size_t len = (size_t)(r->at - start);
  luaL_Buffer copy;
  char *text = luaL_buffinitsize(r->L, &copy, len + 1);
  memcpy(text, start, len);
  text[len] = '\0';
  double number = number_read(text);
  luaL_pushresultsize(&copy, 0);
  lua_pop(r->L, 1);
  return number;
}

// Exact where digits and power of ten both are exact as floats: their product or quotient
// is then rounded once, as it must be.
static double to_float(struct reader *r, const struct digits *d, const char *start) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  long power = d->exponent - d->point;
  if (!d->is_exact || d->whole > (UINT64_C(1) << 53) || power < -22 || power > 22)
    return read_slowly(r, start);
  double number = (double)d->whole;
  number = power < 0 ? number / powers[-power] : number * powers[power];
  return *start == '-' ? -number : number;
}

// A whole number is an integer though it has a point or an exponent; -0 is a float, and so is
// an integer beyond 64 bits.
static bool push_float(struct reader *r, double number, bool is_plain) {
  lua_Integer whole;
  if (!isfinite(number)) return fail(r, "a number is too large");
  bool is_whole = !is_plain && floor(number) == number && !(number == 0 && signbit(number));
  if (is_whole && lua_numbertointeger(number, &whole))
    lua_pushinteger(r->L, whole);
  else
    lua_pushnumber(r->L, number);
  return true;
}

static bool read_number(struct reader *r) {
  const char *start = r->at;
  struct digits d = {.is_exact = true, .is_plain = true};
  bool is_negative = *r->at == '-';
  if (is_negative) r->at++;
  if (!read_digits(r, &d) || !read_exponent(r, &d)) return false;
  uint64_t most = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
  if (!d.is_plain || !d.is_exact || d.whole > most || (is_negative && d.whole == 0))
    return push_float(r, to_float(r, &d, start), d.is_plain);
  lua_pushinteger(r->L, (lua_Integer)(is_negative ? 0 - d.whole : d.whole));
  return true;
}

// ---- strings -------------------------------------------------------------

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The four digits of \uXXXX, -1 when they are none. Stands behind the u.
static long read_unit(struct reader *r) {
  long unit = 0;
  if (r->end - r->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_digit(r->at[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  r->at += 4;
  return unit;
}

static char *put_utf8(char *out, long c) {
  if (c < 0x80) {
    *out++ = (char)c;
    return out;
  }
  if (c < 0x800) {
    *out++ = (char)(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      *out++ = (char)(0xE0 | c >> 12);
    } else {
      *out++ = (char)(0xF0 | c >> 18);
      *out++ = (char)(0x80 | (c >> 12 & 0x3F));
    }
    *out++ = (char)(0x80 | (c >> 6 & 0x3F));
  }
  *out++ = (char)(0x80 | (c & 0x3F));
  return out;
}

// Stands behind the u. NULL after a fault.
static char *unescape_unicode(struct reader *r, char *out) {
  long c = read_unit(r);
  if (c >= 0xD800 && c <= 0xDBFF && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
    r->at += 2;
    long low = read_unit(r);
    if (low < 0) return NULL;
    if (low >= 0xDC00 && low <= 0xDFFF)
      return put_utf8(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
  }
  return c < 0 || (c >= 0xD800 && c <= 0xDFFF) ? NULL : put_utf8(out, c);
}

// Stands behind the backslash. NULL after a fault.
static char *unescape(struct reader *r, char *out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (r->at >= r->end) return NULL;
  char c = *r->at++;
  if (c == 'u') return unescape_unicode(r, out);
  const char *found = c == '\0' ? NULL : strchr(from, c);
  if (found == NULL) return NULL;
  *out++ = to[found - from];
  return out;
}

// Up to the next quote that is not escaped.
static bool find_quote(struct reader *r, const char **quote) {
  const char *p = r->at;
  for (;;) {
    p += json_plain_bytes(slice_of(p, (size_t)(r->end - p)));
    if (p >= r->end) return fail(r, "a string has no end");
    if (*p == '"') break;
    if ((unsigned char)*p < 0x20) return fail(r, "a control character in a string must be escaped");
    if (*p == '\\' && p + 1 < r->end && (unsigned char)p[1] >= 0x20) p++;
    p++;
  }
  *quote = p;
  return true;
}

// What is unescaped is never longer than what it was.
__attribute__((noinline)) static bool push_unescaped(struct reader *r, const char *quote) {
  luaL_Buffer room;
  char *text = luaL_buffinitsize(r->L, &room, (size_t)(quote - r->at)), *out = text;
  while (out != NULL && r->at < quote) {
    size_t plain = json_plain_bytes(slice_of(r->at, (size_t)(quote - r->at)));
    if (plain == 0 && *r->at != '\\') plain = 1;  // DEL
    memcpy(out, r->at, plain);
    out += plain;
    r->at += plain;
    if (r->at < quote && *r->at == '\\') {
      r->at++;
      out = unescape(r, out);
    }
  }
  luaL_pushresultsize(&room, out != NULL ? (size_t)(out - text) : 0);
  return out != NULL || fail(r, "an escape in a string is none of JSON, or half a surrogate pair");
}

static bool read_string(struct reader *r) {
  r->at++;
  size_t plain = json_plain_bytes(slice_of(r->at, (size_t)(r->end - r->at)));
  const char *quote = r->at + plain;
  if (quote >= r->end || *quote != '"') {
    if (!find_quote(r, &quote) || !push_unescaped(r, quote)) return false;
  } else {
    lua_pushlstring(r->L, r->at, plain);
  }
  r->at = quote + 1;
  return true;
}

// ---- arrays and objects --------------------------------------------------

static bool enter(struct reader *r) {
  r->at++;
  if (++r->depth > JSON_DEPTH) return fail(r, "JSON is nested too deeply");
  if (watchdog_is_over(r->L)) return fail(r, "handler_time is over");
  vm_need_stack(r->L, 2 * HELD_MEMBERS + 8);
  lua_pushnil(r->L);  // the place of the table
  skip_space(r);
  return true;
}

// Behind a member: whether another follows. `failed` when neither a comma nor the end does.
static inline bool has_more(struct reader *r, char close, bool *failed) {
  skip_space(r);
  char c = peek(r);
  if (c == ',') {
    r->at++;
    skip_space(r);
    return true;
  }
  if (c != close) *failed = !fail_expected(r, close == ']' ? "a comma or ]" : "a comma or }");
  return false;
}

// Moves the `count` values above the place of the table into it, as elements from `first` on.
static void take_elements(struct reader *r, int table, lua_Integer first, int count) {
  if (first == 1) {
    lua_createtable(r->L, count, 0);
    lua_replace(r->L, table);
  }
  for (int i = count - 1; i >= 0; i--) lua_rawseti(r->L, table, first + i);
}

static bool read_array(struct reader *r) {
  if (!enter(r)) return false;
  int table = lua_gettop(r->L), held = 0;
  lua_Integer first = 1;
  bool failed = false, more = peek(r) != ']';
  while (more) {
    if (!read_value(r)) return false;
    more = has_more(r, ']', &failed);
    if (failed) return false;
    if (++held < HELD_MEMBERS || !more) continue;
    take_elements(r, table, first, held);
    first += held;
    held = 0;
  }
  if (held > 0 || first == 1) take_elements(r, table, first, held);
  lua_pushvalue(r->L, r->list);
  lua_setmetatable(r->L, table);
  r->at++;
  r->depth--;
  return true;
}

// The same with pairs. In their order, since the last of two equal names wins.
static void take_pairs(struct reader *r, int table, bool is_first, int count) {
  if (is_first) {
    lua_createtable(r->L, 0, count);
    lua_replace(r->L, table);
  }
  for (int i = 0; i < count; i++) {
    lua_pushvalue(r->L, table + 1 + 2 * i);
    lua_pushvalue(r->L, table + 2 + 2 * i);
    lua_rawset(r->L, table);
  }
  lua_settop(r->L, table);
}

static bool read_pair(struct reader *r) {
  if (peek(r) != '"') return fail_expected(r, "a name in quotes");
  if (!read_string(r)) return false;
  skip_space(r);
  if (peek(r) != ':') return fail_expected(r, "a colon");
  r->at++;
  skip_space(r);
  return read_value(r);
}

static bool read_object(struct reader *r) {
  if (!enter(r)) return false;
  int table = lua_gettop(r->L), held = 0;
  bool is_first = true, failed = false, more = peek(r) != '}';
  while (more) {
    if (!read_pair(r)) return false;
    more = has_more(r, '}', &failed);
    if (failed) return false;
    if (++held < HELD_MEMBERS || !more) continue;
    take_pairs(r, table, is_first, held);
    is_first = false;
    held = 0;
  }
  if (held > 0 || is_first) take_pairs(r, table, is_first, held);
  r->at++;
  r->depth--;
  return true;
}

// ---- values --------------------------------------------------------------

static bool read_value(struct reader *r) {
  char c = peek(r);
  switch (c) {
    case '"':
      return read_string(r);
    case '{':
      return read_object(r);
    case '[':
      return read_array(r);
    case 't':
    case 'f':
      if (!read_word(r, c == 't' ? "true" : "false", c == 't' ? 4 : 5)) return false;
      lua_pushboolean(r->L, c == 't');
      return true;
    case 'n':
      if (!read_word(r, "null", 4)) return false;
      lua_pushlightuserdata(r->L, NULL);
      return true;
    default:
      if (is_digit(c) || c == '-' || c == '.') return read_number(r);
      return fail_expected(r, "a value");
  }
}

bool json_read(lua_State *L, struct slice text, int list) {
  struct reader r = {.L = L, .at = text.ptr, .start = text.ptr, .list = lua_absindex(L, list)};
  r.end = text.ptr + text.len;
  if (!utf8_is_valid(text)) return fail(&r, "text must be UTF-8");
  vm_need_stack(L, 8);
  skip_space(&r);
  if (!read_value(&r)) return false;
  skip_space(&r);
  return r.at == r.end || fail(&r, "nothing may follow the value");
}
