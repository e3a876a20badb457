// JSON between text and Lua values: this project's, lua-cjson's, json-c's, jansson's. Prints the
// CPU time of one message. The libraries share names, so that each has a program of its own:
//
//   flags="-O2 -flto -D_GNU_SOURCE -Icore -I/usr/include/lua5.4"
//   own="core/script/vm/json*.c core/base/json.c core/base/number.c core/base/buf.c
//     core/base/utf8.c core/base/decimal.c core/base/mem.c"
//   gcc $flags -DOWN tests/bench/json.c $own -llua5.4 -lm -o build/json-own
//   gcc $flags -DCJSON tests/bench/json.c -llua5.4 -llua5.4-cjson -lm -o build/json-cjson
//   gcc $flags -DJSONC tests/bench/json.c -llua5.4 -ljson-c -lm -o build/json-c
//   gcc $flags -DJANSSON tests/bench/json.c -llua5.4 -ljansson -lm -o build/json-jansson
//   build/json-own decode small 200000
//
// Instructions: `valgrind --tool=callgrind` with two numbers of rounds; the difference of the
// totals by the difference of the rounds.
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(OWN)
#include "script/vm/json.h"
#include "script/vm/vm.h"

static struct vm vm = {.memory_max_bytes = 256 << 20};

static int decode(lua_State *L) {
  struct slice text;
  text.ptr = lua_tolstring(L, 1, &text.len);
  return json_decode(L, text);
}

static int encode(lua_State *L) { return json_try_encode(L, 1); }

static void open_json(lua_State *L) {
  *(struct vm **)lua_getextraspace(L) = &vm;
  json_open(L);
  lua_pushcfunction(L, decode);
  lua_pushcfunction(L, encode);
}

#elif defined(CJSON)
#include <lua-cjson.h>

static void open_json(lua_State *L) {
  lua_pushcfunction(L, luaopen_cjson);
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode");
  lua_getfield(L, -2, "encode");
}

#elif defined(JSONC)
#include <json-c/json.h>

static void push(lua_State *L, struct json_object *value) {
  switch (json_object_get_type(value)) {
    case json_type_object:
      lua_createtable(L, 0, json_object_object_length(value));
      json_object_object_foreach(value, name, member) {
        lua_pushstring(L, name);
        push(L, member);
        lua_rawset(L, -3);
      }
      break;
    case json_type_array:
      lua_createtable(L, (int)json_object_array_length(value), 0);
      for (size_t i = 0; i < json_object_array_length(value); i++) {
        push(L, json_object_array_get_idx(value, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
      }
      break;
    case json_type_string:
      lua_pushlstring(L, json_object_get_string(value), (size_t)json_object_get_string_len(value));
      break;
    case json_type_int:
      lua_pushinteger(L, json_object_get_int64(value));
      break;
    case json_type_double:
      lua_pushnumber(L, json_object_get_double(value));
      break;
    case json_type_boolean:
      lua_pushboolean(L, json_object_get_boolean(value));
      break;
    default:
      lua_pushlightuserdata(L, NULL);
  }
}

static struct json_tokener *tokener;

static int decode(lua_State *L) {
  size_t len;
  const char *text = lua_tolstring(L, 1, &len);
  json_tokener_reset(tokener);
  struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len + 1);
  push(L, value);
  json_object_put(value);
  return 1;
}

static struct json_object *take(lua_State *L, int at) {
  size_t len;
  at = lua_absindex(L, at);
  switch (lua_type(L, at)) {
    case LUA_TSTRING: {
      const char *text = lua_tolstring(L, at, &len);
      return json_object_new_string_len(text, (int)len);
    }
    case LUA_TNUMBER:
      return lua_isinteger(L, at) ? json_object_new_int64(lua_tointeger(L, at))
                                  : json_object_new_double(lua_tonumber(L, at));
    case LUA_TBOOLEAN:
      return json_object_new_boolean(lua_toboolean(L, at));
    case LUA_TTABLE:
      break;
    default:
      return NULL;
  }
  len = lua_rawlen(L, at);
  if (len > 0) {
    struct json_object *array = json_object_new_array_ext((int)len);
    for (size_t i = 1; i <= len; i++) {
      lua_rawgeti(L, at, (lua_Integer)i);
      json_object_array_add(array, take(L, -1));
      lua_pop(L, 1);
    }
    return array;
  }
  struct json_object *object = json_object_new_object();
  lua_pushnil(L);
  while (lua_next(L, at) != 0) {
    json_object_object_add_ex(object, lua_tostring(L, -2), take(L, -1),
                              JSON_C_OBJECT_ADD_KEY_IS_NEW);
    lua_pop(L, 1);
  }
  return object;
}

static int encode(lua_State *L) {
  struct json_object *value = take(L, 1);
  size_t len;
  const char *text = json_object_to_json_string_length(
      value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
  lua_pushlstring(L, text, len);
  json_object_put(value);
  return 1;
}

static void open_json(lua_State *L) {
  tokener = json_tokener_new();
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
  lua_pushcfunction(L, decode);
  lua_pushcfunction(L, encode);
}

#elif defined(JANSSON)
#include <jansson.h>

static void push(lua_State *L, json_t *value) {
  const char *name;
  size_t len;
  json_t *member;
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      lua_createtable(L, 0, (int)json_object_size(value));
      json_object_keylen_foreach(value, name, len, member) {
        lua_pushlstring(L, name, len);
        push(L, member);
        lua_rawset(L, -3);
      }
      break;
    case JSON_ARRAY:
      lua_createtable(L, (int)json_array_size(value), 0);
      for (size_t i = 0; i < json_array_size(value); i++) {
        push(L, json_array_get(value, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
      }
      break;
    case JSON_STRING:
      lua_pushlstring(L, json_string_value(value), json_string_length(value));
      break;
    case JSON_INTEGER:
      lua_pushinteger(L, json_integer_value(value));
      break;
    case JSON_REAL:
      lua_pushnumber(L, json_real_value(value));
      break;
    case JSON_NULL:
      lua_pushlightuserdata(L, NULL);
      break;
    default:
      lua_pushboolean(L, json_is_true(value));
  }
}

static int decode(lua_State *L) {
  size_t len;
  json_error_t error;
  const char *text = lua_tolstring(L, 1, &len);
  json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  push(L, value);
  json_decref(value);
  return 1;
}

static json_t *take(lua_State *L, int at) {
  size_t len;
  at = lua_absindex(L, at);
  switch (lua_type(L, at)) {
    case LUA_TSTRING: {
      const char *text = lua_tolstring(L, at, &len);
      return json_stringn(text, len);
    }
    case LUA_TNUMBER:
      return lua_isinteger(L, at) ? json_integer(lua_tointeger(L, at))
                                  : json_real(lua_tonumber(L, at));
    case LUA_TBOOLEAN:
      return json_boolean(lua_toboolean(L, at));
    case LUA_TTABLE:
      break;
    default:
      return json_null();
  }
  json_t *all = lua_rawlen(L, at) > 0 ? json_array() : json_object();
  for (size_t i = 1; i <= lua_rawlen(L, at); i++) {
    lua_rawgeti(L, at, (lua_Integer)i);
    json_array_append_new(all, take(L, -1));
    lua_pop(L, 1);
  }
  if (json_is_array(all)) return all;
  lua_pushnil(L);
  while (lua_next(L, at) != 0) {
    const char *name = lua_tolstring(L, -2, &len);
    json_object_setn_new(all, name, len, take(L, -1));
    lua_pop(L, 1);
  }
  return all;
}

static int encode(lua_State *L) {
  json_t *value = take(L, 1);
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  lua_pushstring(L, text);
  free(text);
  json_decref(value);
  return 1;
}

static void open_json(lua_State *L) {
  lua_pushcfunction(L, decode);
  lua_pushcfunction(L, encode);
}
#endif

static const char small[] =
    "{\"from\":\"ada\",\"text\":\"hello, how are you?\",\"at\":1732658298123,\"room\":\"lobby\","
    "\"n\":17,\"x\":20.25}";

// Rows of a list, 10 KB of them.
static void write_large(char *out) {
  size_t len = (size_t)sprintf(out, "{\"items\":[");
  for (int i = 0; len < 10000; i++) {
    len += (size_t)sprintf(out + len,
                           "%s{\"id\":%d,\"name\":\"name of item %d\",\"price\":%d.%02d,"
                           "\"tags\":[\"a\",\"long\\n\",\"caf\xc3\xa9\"],\"ok\":%s,\"none\":null}",
                           i > 0 ? "," : "", 100000 + i * 37, i, i, 25 + i % 70,
                           i % 2 ? "true" : "false");
  }
  strcpy(out + len, "]}");
}

static double cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  static char large[20000];
  if (argc != 4) {
    fprintf(stderr, "usage: %s decode|encode small|large ROUNDS\n", argv[0]);
    return 2;
  }
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  write_large(large);
  open_json(L);
  lua_pushstring(L, strcmp(argv[2], "small") == 0 ? small : large);
  int text = lua_gettop(L), decoder = text - 2, encoder = text - 1;
  lua_pushvalue(L, decoder);
  lua_pushvalue(L, text);
  lua_call(L, 1, 1);
  int value = lua_gettop(L);
  bool decodes = strcmp(argv[1], "decode") == 0;
  long rounds = atol(argv[3]);
  double begun = cpu_ns();
  for (long i = 0; i < rounds; i++) {
    lua_pushvalue(L, decodes ? decoder : encoder);
    lua_pushvalue(L, decodes ? text : value);
    lua_call(L, 1, 1);
    lua_pop(L, 1);
  }
  printf("%s %s (%zu bytes): %.0f ns\n", argv[1], argv[2], (size_t)lua_rawlen(L, text),
         (cpu_ns() - begun) / (double)rounds);
  lua_close(L);
  return 0;
}
