// Failures of tasks: see failure.h.
#include "script/vm/failure.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "script/vm/hint.h"

enum { TEXT_MAX = 16384 };  // of an error in the log

void failure_append_text(struct buf *out, struct slice text) {
  if (text.len > TEXT_MAX) text.len = TEXT_MAX;
  while (text.len > 0) {
    const char *end = memchr(text.ptr, '\0', text.len);
    size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
    buf_append(out, text.ptr, len);
    if (end == NULL) return;
    buf_append_str(out, "\\x00");
    text = slice_of(end + 1, text.len - len - 1);
  }
}

static struct slice text_of(lua_State *L, int index) {
  struct slice text;
  text.ptr = lua_tolstring(L, index, &text.len);
  return text;
}

static void set_text(struct failure *failure, lua_State *co, struct slice text) {
  buf_clear(&failure->text);
  text = place_append(&failure->text, co, failure->place, text);
  failure_append_text(&failure->text, text);
}

struct reading {
  struct failure *failure;
  lua_State *co;
  const char *text;  // NULL: the error on top of the coroutine's stack
};

static void read_error(lua_State *L, struct failure *failure, lua_State *co) {
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  if (lua_isstring(L, -1)) {
    hint_add(L);
    set_text(failure, co, text_of(L, -1));
  } else if (luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL) {
    lua_pop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, failure);
    failure->has_object = true;
  }
}

// Protected: the stack of the VM is its own.
static int read_protected(lua_State *L) {
  struct reading *reading = lua_touserdata(L, 1);
  if (reading->text == NULL && lua_checkstack(reading->co, 1))
    read_error(L, reading->failure, reading->co);
  luaL_traceback(L, reading->co, NULL, 0);
  failure_append_text(&reading->failure->traceback, text_of(L, -1));
  return 0;
}

void failure_set_text(struct failure *failure, lua_State *co) {
  char what[64];
  snprintf(what, sizeof what, "(error object is a %s value)", luaL_typename(co, -1));
  bool is_text = lua_type(co, -1) == LUA_TSTRING;
  set_text(failure, co, is_text ? text_of(co, -1) : slice_str(what));
}

void failure_read(struct failure *failure, struct vm *vm, lua_State *co) {
  struct reading reading = {.failure = failure, .co = co};
  *failure = (struct failure){0};
  place_find(co, failure->place);
  vm_enter(vm, read_protected, &reading, "traceback");
  if (failure->text.end == 0) failure_set_text(failure, co);
}

void failure_read_yielded(struct failure *failure, struct vm *vm, lua_State *co, const char *text) {
  struct reading reading = {failure, co, text};
  *failure = (struct failure){0};
  buf_append_str(&failure->text, text);
  vm_enter(vm, read_protected, &reading, "traceback");
}

void failure_push_object(lua_State *L, const struct failure *failure) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, failure);
}

void failure_end(struct failure *failure, struct vm *vm) {
  if (failure->has_object) {
    lua_pushnil(vm->L);
    lua_rawsetp(vm->L, LUA_REGISTRYINDEX, failure);
  }
  buf_free(&failure->text);
  buf_free(&failure->traceback);
}
