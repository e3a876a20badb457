// core.hmac_sha256, core.base64url_*, core.equal, core.id: over OpenSSL.
#include <lauxlib.h>
#include <lua.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "script/bind/modules.h"
#include "script/vm/args.h"

// hmac_sha256(key, data) -> 32 raw bytes
static int hmac_sha256(lua_State *L) {
  struct slice key = args_check_slice(L, 1);
  struct slice data = args_check_slice(L, 2);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  if (HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len, digest,
           &len) == NULL) {
    return luaL_error(L, "hmac_sha256 failed");
  }
  lua_pushlstring(L, (const char *)digest, len);
  return 1;
}

// base64url_encode(data) -> text without padding (RFC 4648 section 5)
static int base64url_encode(lua_State *L) {
  struct slice data = args_check_slice(L, 1);
  luaL_Buffer buffer;
  size_t size = (data.len + 2) / 3 * 4;
  unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &buffer, size + 1);
  int len = EVP_EncodeBlock(out, (const unsigned char *)data.ptr, (int)data.len);
  while (len > 0 && out[len - 1] == '=') len--;
  for (int i = 0; i < len; i++) {
    if (out[i] == '+')
      out[i] = '-';
    else if (out[i] == '/')
      out[i] = '_';
  }
  luaL_pushresultsize(&buffer, (size_t)len);
  return 1;
}

static int digit(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

// base64url_decode(text) -> data | nil. Strict: no padding, no other
// characters, unused bits zero (OpenSSL's decoder takes only the other alphabet
// and forgives much, which a signature must not).
static int base64url_decode(lua_State *L) {
  struct slice text = args_check_slice(L, 1);
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, text.len * 3 / 4 + 3);
  size_t len = 0;
  unsigned bits = 0;
  int count = 0;
  bool ok = text.len % 4 != 1;
  for (size_t i = 0; ok && i < text.len; i++) {
    int value = digit((unsigned char)text.ptr[i]);
    ok = value >= 0;
    bits = (bits << 6 | (unsigned)value) & 0xFFFFFF;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out[len++] = (char)(bits >> count & 0xFF);
    }
  }
  ok = ok && (bits & ((1u << count) - 1)) == 0;
  luaL_pushresultsize(&buffer, len);
  if (!ok) lua_pushnil(L);
  return 1;
}

// equal(a, b) -> whether two strings are equal, in time independent of where they differ
static int equal(lua_State *L) {
  struct slice a = args_check_slice(L, 1);
  struct slice b = args_check_slice(L, 2);
  lua_pushboolean(L, a.len == b.len && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
  return 1;
}

// id() -> 22 random characters: letters, digits, '-' and '_'
static int id(lua_State *L) {
  char bytes[16];
  rand_bytes(bytes, sizeof bytes);
  lua_settop(L, 0);
  lua_pushlstring(L, bytes, sizeof bytes);
  return base64url_encode(L);
}

static const luaL_Reg functions[] = {
    {"hmac_sha256", hmac_sha256},
    {"base64url_encode", base64url_encode},
    {"base64url_decode", base64url_decode},
    {"equal", equal},
    {"id", id},
    {NULL, NULL},
};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_crypto = {.name = "crypto", .open = open_module};
