// The opening handshake: see ws_handshake.h.
#include "proto/ws_handshake.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "proto/ws_list.h"

enum { KEY_CHARS = 24, SHA1_BYTES = 20 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Looking an algorithm up costs OpenSSL more than the hash itself, so it is
// done once for the process. NULL where SHA-1 is switched off.
static EVP_MD *sha1;
static pthread_once_t sha1_once = PTHREAD_ONCE_INIT;

static void fetch_sha1(void) { sha1 = EVP_MD_fetch(NULL, "SHA1", NULL); }

static bool write_accept(struct slice key, char accept[WS_ACCEPT_BYTES + 1]) {
  char text[KEY_CHARS + sizeof guid - 1];
  uint8_t digest[SHA1_BYTES];
  memcpy(text, key.ptr, KEY_CHARS);
  memcpy(text + KEY_CHARS, guid, sizeof guid - 1);
  pthread_once(&sha1_once, fetch_sha1);
  if (sha1 == NULL || EVP_Digest(text, sizeof text, digest, NULL, sha1, NULL) != 1) return false;
  EVP_EncodeBlock((unsigned char *)accept, digest, SHA1_BYTES);
  return true;
}

static bool is_base64_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// 16 bytes in base64: 22 characters and "==". The last character holds four bits
// too many; clients may set them, as the RFC's own example does (section 4.1).
static bool key_is_valid(struct slice key) {
  if (key.len != KEY_CHARS || memcmp(key.ptr + KEY_CHARS - 2, "==", 2) != 0) return false;
  for (size_t i = 0; i < KEY_CHARS - 2; i++) {
    if (!is_base64_char(key.ptr[i])) return false;
  }
  return true;
}

// The value of the header `name` when there is exactly one, else .ptr NULL.
static struct slice only_header(const struct http_request *request, const char *name) {
  struct slice value = {0};
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    if (!slice_equal_nocase(request->headers[i].name, slice_str(name))) continue;
    value = request->headers[i].value;
    count++;
  }
  return count == 1 ? value : (struct slice){0};
}

static bool take_protocol(struct slice *in, void *arg) {
  struct slice token;
  (void)arg;
  return ws_list_take_token(in, &token);
}

static struct ws_handshake refuse(int status, const char *reason) {
  return (struct ws_handshake){.status = status, .reason = reason};
}

struct ws_handshake ws_handshake_check(const struct http_request *request) {
  if (request->method != HTTP_METHOD_GET || request->minor_version < 1 ||
      !http_request_has_token(request, "Upgrade", "websocket") ||
      !http_request_has_token(request, "Connection", "upgrade")) {
    return refuse(426,
                  "a WebSocket is asked for by GET over HTTP/1.1, with Upgrade and Connection");
  }
  if (request->has_body) return refuse(400, "a WebSocket handshake has no body");
  if (!slice_equal(only_header(request, "Sec-WebSocket-Version"), slice_str("13"))) {
    return refuse(426, "Sec-WebSocket-Version must be 13");
  }
  struct slice key = only_header(request, "Sec-WebSocket-Key");
  if (!key_is_valid(key)) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64, once");
  if (!ws_list_read(request, "Sec-WebSocket-Protocol", take_protocol, NULL))
    return refuse(400, "Sec-WebSocket-Protocol must be a list of tokens");
  struct ws_handshake good = {.status = 101};
  enum ws_extensions extensions = ws_extensions_read(request, &good.offer);
  if (extensions == WS_EXTENSIONS_MALFORMED)
    return refuse(400, "Sec-WebSocket-Extensions is malformed");
  good.offers_deflate = extensions == WS_EXTENSIONS_DEFLATE;
  if (!write_accept(key, good.accept)) return refuse(500, "OpenSSL offers no SHA-1");
  return good;
}
