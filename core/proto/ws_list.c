// Lists of the opening handshake: see ws_list.h.
#include "proto/ws_list.h"

#include "proto/http_chars.h"

static void skip(struct slice *in, size_t bytes) {
  *in = slice_of(in->ptr + bytes, in->len - bytes);
}

static void skip_space(struct slice *in) {
  while (in->len > 0 && (*in->ptr == ' ' || *in->ptr == '\t')) skip(in, 1);
}

bool ws_list_take_char(struct slice *in, char c) {
  skip_space(in);
  if (in->len == 0 || *in->ptr != c) return false;
  skip(in, 1);
  return true;
}

bool ws_list_take_token(struct slice *in, struct slice *token) {
  skip_space(in);
  *token = slice_of(in->ptr, http_chars_run(in->ptr, in->len, HTTP_CHAR_TOKEN));
  skip(in, token->len);
  return token->len > 0;
}

static bool read_header(struct slice in, bool (*take)(struct slice *in, void *arg), void *arg,
                        size_t *count) {
  for (;;) {
    while (ws_list_take_char(&in, ',')) continue;
    if (in.len == 0) return true;
    if (!take(&in, arg)) return false;
    *count += 1;
    skip_space(&in);
    if (in.len > 0 && *in.ptr != ',') return false;
  }
}

bool ws_list_read(const struct http_request *request, const char *name,
                  bool (*take)(struct slice *in, void *arg), void *arg) {
  size_t headers = 0, elements = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    const struct http_header *header = &request->headers[i];
    if (!slice_equal_nocase(header->name, slice_str(name))) continue;
    if (!read_header(header->value, take, arg, &elements)) return false;
    headers++;
  }
  return headers == 0 || elements > 0;
}
