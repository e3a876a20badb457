// Places in scripts: see place.h.
#include "script/vm/place.h"

#include <stdio.h>
#include <string.h>

// Innermost levels that are looked at: lua_getstack counts from there each time, and a stack that
// overflowed has hundreds of thousands.
enum { LEVELS_MAX = 100 };

static bool is_framework(const char *source) { return *source == '='; }

static void format(char out[static PLACE_BYTES], const lua_Debug *frame) {
  snprintf(out, PLACE_BYTES, "%s:%d", frame->short_src, frame->currentline);
}

bool place_find(lua_State *co, char out[static PLACE_BYTES]) {
  lua_Debug frame;
  out[0] = '\0';
  for (int level = 0; level < LEVELS_MAX && lua_getstack(co, level, &frame); level++) {
    lua_getinfo(co, "Sl", &frame);
    if (frame.currentline <= 0 || is_framework(frame.source)) continue;
    format(out, &frame);
    return true;
  }
  return false;
}

static bool starts(struct slice text, const char *prefix) {
  size_t len = strlen(prefix);
  return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

// The length of the start of a text that is as the start of `place`: of a folder with a blank.
static size_t measure_shared(struct slice text, const char *place) {
  size_t len = 0;
  while (len < text.len && place[len] != '\0' && text.ptr[len] == place[len]) len++;
  return len;
}

// Tells "main.lua" and `[string "x = 1"]` from "cannot reach db", of "cannot reach db:5432: ".
static bool is_chunk_name(struct slice name, const char *place) {
  if (starts(name, "[string \"")) return name.ptr[name.len - 1] == ']';
  size_t shared = measure_shared(name, place);
  return memchr(name.ptr + shared, ' ', name.len - shared) == NULL;
}

// The length of "name:12: " at the start of a text; 0 if there is none.
static size_t measure_place(struct slice text, const char *place) {
  const char *end = text.ptr + text.len, *at = text.ptr;
  while ((at = memchr(at, ':', (size_t)(end - at))) != NULL) {
    struct slice name = slice_of(text.ptr, (size_t)(at - text.ptr));
    const char *digit = ++at;
    while (digit < end && *digit >= '0' && *digit <= '9') digit++;
    if (digit > at && end - digit >= 2 && digit[0] == ':' && digit[1] == ' ' &&
        is_chunk_name(name, place))
      return (size_t)(digit + 2 - text.ptr);
  }
  return 0;
}

static bool names_framework(lua_State *co, struct slice text, size_t place_len) {
  lua_Debug frame;
  for (int level = 0; level < LEVELS_MAX && lua_getstack(co, level, &frame); level++) {
    lua_getinfo(co, "Sl", &frame);
    if (frame.currentline <= 0 || !is_framework(frame.source)) continue;
    char place[PLACE_BYTES];
    format(place, &frame);
    size_t len = strlen(place);
    if (len + 2 == place_len && memcmp(place, text.ptr, len) == 0) return true;
  }
  return false;
}

struct slice place_append(struct buf *out, lua_State *co, const char *place, struct slice text) {
  if (place[0] == '\0' || starts(text, place)) return text;
  size_t own = measure_place(text, place);
  if (own > 0 && !names_framework(co, text, own)) return text;
  buf_append_str(out, place);
  buf_append_str(out, ": ");
  return slice_of(text.ptr + own, text.len - own);
}
