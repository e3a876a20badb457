// JSON text: see json.h.
#include "base/json.h"

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
