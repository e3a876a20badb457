// Client-side framing: see wire.h.
#include "load/wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

ssize_t wire_read_ws(const char *data, size_t len, struct wire_message *message) {
  const unsigned char *in = (const unsigned char *)data;
  if (len < 2) return 0;
  size_t head = 2, size = in[1];
  // Masked, a fragment, or reserved bits other than RSV1 of a message.
  bool is_control = (in[0] & 0x08) != 0;
  if (size > 127 || (in[0] & (is_control ? 0xf0 : 0xb0)) != 0x80) return -1;
  if (size >= 126) {
    size_t width = size == 126 ? 2 : 8;
    head += width;
    if (len < head) return 0;
    size = 0;
    for (size_t i = 0; i < width; i++) size = size << 8 | in[2 + i];
  }
  if (len < head + size) return 0;
  *message = (struct wire_message){data + head, size, in[0] & 0x0f, (in[0] & 0x40) != 0};
  return (ssize_t)(head + size);
}

ssize_t wire_read_sse(const char *data, size_t len, struct wire_message *message) {
  const char *end = memchr(data, '\n', len);
  if (end == NULL) return 0;
  *message = (struct wire_message){0};
  if (end - data > 6 && memcmp(data, "data: ", 6) == 0) {
    *message = (struct wire_message){data + 6, (size_t)(end - data) - 6, WIRE_TEXT, false};
  }
  return end - data + 1;
}

static const char *find_header(const char *head, size_t len, const char *name) {
  size_t name_len = strlen(name);
  for (const char *line = head; (line = memchr(line, '\n', len - (size_t)(line - head))) != NULL;) {
    line++;
    if (len - (size_t)(line - head) < name_len) return NULL;
    if (strncasecmp(line, name, name_len) == 0) return line + name_len;
  }
  return NULL;
}

ssize_t wire_read_head(const char *data, size_t len, int status) {
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  if (len < 12 || memcmp(data, "HTTP/1.1 ", 9) != 0 || atoi(data + 9) != status) return -1;
  return end + 4 - data;
}

bool wire_agrees_deflate(const char *head, size_t len) {
  const char *agreed = find_header(head, len, "sec-websocket-extensions:");
  if (agreed == NULL) return false;
  size_t agreed_len =
      (size_t)((const char *)memchr(agreed, '\n', len - (size_t)(agreed - head)) - agreed);
  return memmem(agreed, agreed_len, "permessage-deflate", 18) != NULL &&
         memmem(agreed, agreed_len, "server_no_context_takeover", 26) != NULL;
}

ssize_t wire_read_http(const char *data, size_t len, struct wire_message *message) {
  ssize_t head = wire_read_head(data, len, 200);
  if (head <= 0) return head;
  const char *length = find_header(data, (size_t)head, "content-length:");
  if (length == NULL) return -1;
  size_t size = strtoul(length, NULL, 10);
  if (len < (size_t)head + size) return 0;
  *message = (struct wire_message){data + head, size, WIRE_TEXT, false};
  return head + (ssize_t)size;
}

size_t wire_write_ws(char *out, int opcode, const char *payload, size_t len) {
  static const char mask[4] = {0x37, 0x11, 0x5a, 0x62};
  size_t head = 2;
  out[0] = (char)(0x80 | opcode);
  if (len < 126) {
    out[1] = (char)(0x80 | len);
  } else if (len < 65536) {
    out[1] = (char)(0x80 | 126);
    for (size_t i = 0; i < 2; i++) out[head++] = (char)(len >> (8 - 8 * i));
  } else {
    out[1] = (char)(0x80 | 127);
    for (size_t i = 0; i < 8; i++) out[head++] = (char)(len >> (56 - 8 * i));
  }
  memcpy(out + head, mask, 4);
  head += 4;
  for (size_t i = 0; i < len; i++) out[head + i] = (char)(payload[i] ^ mask[i & 3]);
  return head + len;
}
