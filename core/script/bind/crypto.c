// core.crypto: digests and signatures over OpenSSL, bytes as text, random bytes; core.id.
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/base64.h"
#include "base/rand.h"
#include "script/bind/modules.h"
#include "script/vm/args.h"
#include "script/vm/vm.h"

enum { RANDOM_MOST_BYTES = 1 << 20, ID_BYTES = 16 };

// ---- digests -------------------------------------------------------------

static const struct algorithm {
  const char *name;
  const EVP_MD *(*digest)(void);
} algorithms[] = {
    {"sha256", EVP_sha256}, {"sha512", EVP_sha512}, {"sha384", EVP_sha384},
    {"sha224", EVP_sha224}, {"sha1", EVP_sha1},     {"md5", EVP_md5},
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static int fail_algorithm(lua_State *L, const char *what, const char *name) {
  luaL_Buffer known;
  luaL_buffinit(L, &known);
  for (size_t i = 0; i < ALGORITHMS; i++) {
    lua_pushfstring(L, "%s\"%s\"", i > 0 ? ", " : "", algorithms[i].name);
    luaL_addvalue(&known);
  }
  luaL_pushresult(&known);
  return luaL_error(L, "%s: algorithm must be one of %s (got \"%s\")", what, lua_tostring(L, -1),
                    name);
}

static const EVP_MD *check_algorithm(lua_State *L, const char *what) {
  struct slice name = args_check_string(L, 1);
  for (size_t i = 0; i < ALGORITHMS; i++)
    if (slice_equal(name, slice_str(algorithms[i].name))) return algorithms[i].digest();
  fail_algorithm(L, what, name.ptr);
  return NULL;
}

// digest(algorithm, data) -> raw bytes
static int digest(lua_State *L) {
  const EVP_MD *md = check_algorithm(L, "digest");
  struct slice data = args_check_string(L, 2);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  if (EVP_Digest(data.ptr, data.len, out, &len, md, NULL) != 1)
    return luaL_error(L, "digest: OpenSSL does not allow this algorithm here");
  lua_pushlstring(L, (const char *)out, len);
  return 1;
}

// hmac(algorithm, key, data) -> raw bytes (RFC 2104)
static int hmac(lua_State *L) {
  const EVP_MD *md = check_algorithm(L, "hmac");
  struct slice key = args_check_string(L, 2);
  struct slice data = args_check_string(L, 3);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  luaL_argcheck(L, key.len <= INT_MAX, 2, "is too long");
  if (HMAC(md, key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len, out, &len) == NULL)
    return luaL_error(L, "hmac: OpenSSL does not allow this algorithm here");
  lua_pushlstring(L, (const char *)out, len);
  return 1;
}

// ---- bytes as text -------------------------------------------------------

static int push_base64(lua_State *L, enum base64_alphabet alphabet) {
  struct slice data = args_check_string(L, 1);
  luaL_Buffer room;
  char *out = luaL_buffinitsize(L, &room, base64_room(data.len));
  luaL_pushresultsize(&room, base64_write(alphabet, data, out));
  return 1;
}

// base64(data) -> text with padding; base64url(data) -> text without
static int base64(lua_State *L) { return push_base64(L, BASE64); }
static int base64url(lua_State *L) { return push_base64(L, BASE64_URL); }

// hex(data) -> text, lower case
static int hex(lua_State *L) {
  struct slice data = args_check_string(L, 1);
  luaL_Buffer room;
  char *out = luaL_buffinitsize(L, &room, 2 * data.len);
  luaL_pushresultsize(&room, hex_write(data, out));
  return 1;
}

static int push_decoded(lua_State *L, luaL_Buffer *room, long len, const char *form) {
  luaL_pushresultsize(room, len < 0 ? 0 : (size_t)len);
  if (len >= 0) return 1;
  lua_pushfstring(L, "the text is not %s", form);
  return vm_fail(L, lua_tostring(L, -1), form);
}

static int decode_base64(lua_State *L, enum base64_alphabet alphabet, const char *form) {
  struct slice text = args_check_string(L, 1);
  luaL_Buffer room;
  char *out = luaL_buffinitsize(L, &room, base64_read_room(text.len));
  return push_decoded(L, &room, base64_read(alphabet, text, out), form);
}

// base64_decode(text), base64url_decode(text), hex_decode(text) -> data | nil, message, code
static int base64_decode(lua_State *L) { return decode_base64(L, BASE64, "base64"); }
static int base64url_decode(lua_State *L) { return decode_base64(L, BASE64_URL, "base64url"); }

static int hex_decode(lua_State *L) {
  struct slice text = args_check_string(L, 1);
  luaL_Buffer room;
  char *out = luaL_buffinitsize(L, &room, text.len / 2 + 1);
  return push_decoded(L, &room, hex_read(text, out), "hex");
}

// ---- secrets -------------------------------------------------------------

// equal(a, b) -> whether two strings are equal, in time independent of where they differ
static int equal(lua_State *L) {
  struct slice a = args_check_string(L, 1);
  struct slice b = args_check_string(L, 2);
  lua_pushboolean(L, a.len == b.len && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
  return 1;
}

// random(count) -> that many random bytes
static int random_bytes(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  luaL_argcheck(L, count >= 0 && count <= RANDOM_MOST_BYTES, 1, "must be from 0 to 1048576");
  luaL_Buffer room;
  char *out = luaL_buffinitsize(L, &room, (size_t)count);
  if (count > 0) rand_bytes(out, (size_t)count);
  luaL_pushresultsize(&room, (size_t)count);
  return 1;
}

// id() -> 22 random characters: letters, digits, '-' and '_'
static int id(lua_State *L) {
  char bytes[ID_BYTES], text[ID_BYTES * 2];
  rand_bytes(bytes, sizeof bytes);
  lua_pushlstring(L, text, base64_write(BASE64_URL, slice_of(bytes, sizeof bytes), text));
  return 1;
}

static const luaL_Reg functions[] = {
    {"hmac", hmac},
    {"digest", digest},
    {"base64", base64},
    {"base64_decode", base64_decode},
    {"base64url", base64url},
    {"base64url_decode", base64url_decode},
    {"hex", hex},
    {"hex_decode", hex_decode},
    {"equal", equal},
    {"random", random_bytes},
    {NULL, NULL},
};

static void open_module(lua_State *L) {
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "crypto");
  lua_pushcfunction(L, id);
  lua_setfield(L, -2, "id");
}

struct script_module bind_crypto = {.name = "crypto", .open = open_module};
