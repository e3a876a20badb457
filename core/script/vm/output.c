// Streams of scripts over base/log_out: see output.h. All states share them, as they share the
// streams of C.
#include "script/vm/output.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

#include "base/log_out.h"

static FILE *printed, *complained;  // io.stdout, io.stderr; NULL: those of C

static ssize_t write_printed(void *cookie, const char *text, size_t length) {
  (void)cookie;
  log_out_put_print(text, length);
  return (ssize_t)length;
}

static ssize_t write_complained(void *cookie, const char *text, size_t length) {
  (void)cookie;
  log_out_put(text, length);
  return (ssize_t)length;
}

bool output_start(void) {
  if (!log_out_start_prints()) return false;
  printed = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_printed});
  complained = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_complained});
  if (printed == NULL || complained == NULL) return false;
  setvbuf(printed, NULL, _IOLBF, BUFSIZ);
  setvbuf(complained, NULL, _IONBF, 0);
  return true;
}

void output_flush(void) {
  if (printed != NULL) fflush(printed);
}

// print(...): as Lua's own, but a line is dropped as a whole, or not at all, and no other gets
// into it.
static int print(lua_State *L) {
  int count = lua_gettop(L);
  luaL_Buffer line;
  luaL_buffinit(L, &line);
  for (int i = 1; i <= count; i++) {
    if (i > 1) luaL_addchar(&line, '\t');
    luaL_tolstring(L, i, NULL);
    luaL_addvalue(&line);
  }
  luaL_addchar(&line, '\n');
  luaL_pushresult(&line);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  flockfile(printed);
  fflush_unlocked(printed);  // what io.write has left there comes first
  log_out_put_print(text, length);
  funlockfile(printed);
  return 0;
}

// As file:write formats it.
static void add_number(luaL_Buffer *text, lua_Number number) {
  char digits[64];
  int length = snprintf(digits, sizeof digits, LUA_NUMBER_FMT, number);
  luaL_addlstring(text, digits, (size_t)length);
}

// io.stderr:write(...): all of it in one piece, and at once.
static int complain(lua_State *L) {
  int count = lua_gettop(L);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (int i = 2; i <= count; i++) {
    if (lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i)) {
      add_number(&text, lua_tonumber(L, i));
      continue;
    }
    luaL_checkstring(L, i);
    lua_pushvalue(L, i);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  size_t length;
  const char *all = lua_tolstring(L, -1, &length);
  if (length > 0) log_out_put(all, length);
  lua_pushvalue(L, 1);
  return 1;
}

// file:write(...). Upvalue: Lua's own.
static int write_any(lua_State *L) {
  const luaL_Stream *stream = luaL_testudata(L, 1, LUA_FILEHANDLE);
  return stream != NULL && stream->f == complained ? complain(L)
                                                   : lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void replace_write(lua_State *L) {
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index");
  lua_getfield(L, -1, "write");
  lua_pushcclosure(L, write_any, 1);
  lua_setfield(L, -2, "write");
  lua_pop(L, 2);
}

static void replace_stream(lua_State *L, const char *name, FILE *file) {
  lua_getfield(L, -1, name);
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (stream != NULL) stream->f = file;
  lua_pop(L, 1);
}

void output_replace(lua_State *L) {
  if (printed == NULL) return;
  lua_getglobal(L, LUA_IOLIBNAME);
  replace_stream(L, "stdout", printed);
  replace_stream(L, "stderr", complained);
  lua_pop(L, 1);
  replace_write(L);
  lua_pushcfunction(L, print);
  lua_setglobal(L, "print");
}
