// The opening handshake: see ws_handshake.h.
#include "proto/ws_handshake.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "proto/http_chars.h"

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

// ---- lists ---------------------------------------------------------------

static void skip_space(struct slice *s) {
  while (s->len > 0 && (*s->ptr == ' ' || *s->ptr == '\t')) s->ptr++, s->len--;
}

static bool take_char(struct slice *s, char c) {
  skip_space(s);
  if (s->len == 0 || *s->ptr != c) return false;
  s->ptr++, s->len--;
  return true;
}

static bool take_token(struct slice *s) {
  skip_space(s);
  size_t len = http_chars_run(s->ptr, s->len, HTTP_CHAR_TOKEN);
  *s = slice_of(s->ptr + len, s->len - len);
  return len > 0;
}

// A quoted string is a token as well once its backslashes are gone.
static bool take_quoted(struct slice *s) {
  const char *from = s->ptr;
  while (s->len > 0 && *s->ptr != '"') {
    size_t escape = *s->ptr == '\\';
    if (s->len <= escape || !http_char_is(s->ptr[escape], HTTP_CHAR_TOKEN)) return false;
    *s = slice_of(s->ptr + escape + 1, s->len - escape - 1);
  }
  return s->ptr > from && take_char(s, '"');
}

// token *( ";" token [ "=" ( token | quoted-string ) ] )
static bool take_extension(struct slice *s) {
  if (!take_token(s)) return false;
  while (take_char(s, ';')) {
    if (!take_token(s)) return false;
    if (take_char(s, '=') && !(take_char(s, '"') ? take_quoted(s) : take_token(s))) return false;
  }
  return true;
}

// The lists that a client may offer (section 4.3). Each may be spread over
// several headers, and has one element at least.
static const struct offer {
  const char *name;
  bool (*take)(struct slice *s);
  const char *refusal;
} offers[] = {
    {"Sec-WebSocket-Protocol", take_token, "Sec-WebSocket-Protocol must be a list of tokens"},
    {"Sec-WebSocket-Extensions", take_extension, "Sec-WebSocket-Extensions is malformed"},
};

// Counts the elements of a list; false when one is malformed. Empty ones are
// skipped (RFC 2616 2.1, whose grammar RFC 6455 uses).
static bool count_elements(struct slice list, const struct offer *offer, size_t *count) {
  for (;;) {
    while (take_char(&list, ',')) continue;
    if (list.len == 0) return true;
    if (!offer->take(&list)) return false;
    *count += 1;
    skip_space(&list);
    if (list.len > 0 && *list.ptr != ',') return false;
  }
}

static bool offer_is_valid(const struct http_request *request, const struct offer *offer) {
  size_t headers = 0, elements = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    const struct http_header *header = &request->headers[i];
    if (!slice_equal_nocase(header->name, slice_str(offer->name))) continue;
    if (!count_elements(header->value, offer, &elements)) return false;
    headers++;
  }
  return headers == 0 || elements > 0;
}

// ---- the check -----------------------------------------------------------

static struct ws_handshake refuse(int status, const char *reason) {
  return (struct ws_handshake){.status = status, .reason = reason};
}

struct ws_handshake ws_handshake_check(const struct http_request *request) {
  if (request->method != HTTP_METHOD_GET || request->minor_version < 1) {
    return refuse(400, "a WebSocket handshake is a GET over HTTP/1.1");
  }
  if (!http_request_has_token(request, "Upgrade", "websocket") ||
      !http_request_has_token(request, "Connection", "upgrade")) {
    return refuse(400, "the request does not ask for an upgrade to WebSocket");
  }
  if (request->has_body) return refuse(400, "a WebSocket handshake has no body");
  if (!slice_equal(only_header(request, "Sec-WebSocket-Version"), slice_str("13"))) {
    return refuse(426, "Sec-WebSocket-Version must be 13");
  }
  struct slice key = only_header(request, "Sec-WebSocket-Key");
  if (!key_is_valid(key)) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64, once");
  for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
    if (!offer_is_valid(request, &offers[i])) return refuse(400, offers[i].refusal);
  }
  struct ws_handshake good = {.status = 101};
  if (!write_accept(key, good.accept)) return refuse(500, "OpenSSL offers no SHA-1");
  return good;
}
