// JSON text: see json.h.
#include "base/json.h"

#include "base/utf8.h"

void json_append_string(struct buf *out, struct slice text) {
  buf_append_char(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20) {
      buf_printf(out, "\\u%04x", c);
      continue;
    }
    if (c == '"' || c == '\\') buf_append_char(out, '\\');
    buf_append_char(out, (char)c);
  }
  buf_append_char(out, '"');
}

static bool is_digit_at(struct slice text, size_t i) {
  return i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
}

const char *json_find_fault(struct slice text) {
  bool in_string = false;
  if (!utf8_is_valid(text)) return "text must be UTF-8";
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c == '"')
      in_string = !in_string;
    else if (in_string && c == '\\')
      i++;
    else if (in_string && c < 0x20)
      return "a control character in a string must be escaped";
    else if (c == '\0')
      return "nothing may follow the value";
    else if (!in_string && c == '.' &&
             !(i > 0 && is_digit_at(text, i - 1) && is_digit_at(text, i + 1)))
      return "a number must have digits on both sides of its point";
  }
  return NULL;
}
