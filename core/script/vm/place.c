// Places in scripts: see place.h.
#include "script/vm/place.h"

#include <stdio.h>
#include <string.h>

bool place_is_framework(const char *source) { return *source == '='; }

static void format(char out[static PLACE_BYTES], const lua_Debug *frame) {
  snprintf(out, PLACE_BYTES, "%s:%d", frame->short_src, frame->currentline);
}

bool place_find(lua_State *co, char out[static PLACE_BYTES]) {
  lua_Debug frame;
  out[0] = '\0';
  for (int level = 0; lua_getstack(co, level, &frame); level++) {
    lua_getinfo(co, "Sl", &frame);
    if (frame.currentline <= 0 || place_is_framework(frame.source)) continue;
    format(out, &frame);
    return true;
  }
  return false;
}

// The length of "name:12: " at the start of a text; 0 if there is none.
static size_t measure_place(struct slice text) {
  const char *end = text.ptr + text.len, *at = text.ptr;
  while ((at = memchr(at, ':', (size_t)(end - at))) != NULL) {
    const char *digit = ++at;
    while (digit < end && *digit >= '0' && *digit <= '9') digit++;
    if (digit > at && end - digit >= 2 && digit[0] == ':' && digit[1] == ' ')
      return (size_t)(digit + 2 - text.ptr);
  }
  return 0;
}

static bool names_framework(lua_State *co, struct slice text, size_t place_len) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(co, level, &frame); level++) {
    lua_getinfo(co, "Sl", &frame);
    if (frame.currentline <= 0 || !place_is_framework(frame.source)) continue;
    char place[PLACE_BYTES];
    format(place, &frame);
    size_t len = strlen(place);
    if (len + 2 == place_len && memcmp(place, text.ptr, len) == 0) return true;
  }
  return false;
}

struct slice place_append(struct buf *out, lua_State *co, const char *place, struct slice text) {
  if (place[0] == '\0') return text;
  size_t own = measure_place(text);
  if (own > 0 && !names_framework(co, text, own)) return text;
  buf_append_str(out, place);
  buf_append_str(out, ": ");
  return slice_of(text.ptr + own, text.len - own);
}
