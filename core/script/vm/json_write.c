// A recursive writer: see json_write.h. Each function finds its value on top of the stack and
// leaves it there; or it returns false, with the fault and the way to it told in the writer.
#include "script/vm/json_write.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

// An array of more than these elements has one in two, or it is a mistake.
enum { SPARSE_LEAST = 10, SPARSE_FACTOR = 2 };

enum { PATH_MAX_BYTES = 96, STEP_MAX_BYTES = 40, PIECE_BYTES = 65536 };

struct writer {
  lua_State *L;
  struct buf *out;
  const void *list;
  size_t most;
  int depth;
  const char *type, *fault;   // what cannot be written, and why
  char path[PATH_MAX_BYTES];  // to it, from the value: ".items[3].f"
  bool path_is_cut;
};

static bool write_value(struct writer *w);

// ---- faults --------------------------------------------------------------

static bool fail(struct writer *w, const char *type, const char *fault) {
  w->type = type;
  w->fault = fault;
  return false;
}

static bool fail_size(struct writer *w) {
  return fail(w, "value", ": the text takes more than half of vm_memory");
}

// On the way back from a fault: the key below the top of the stack led there.
static bool fail_below(struct writer *w, const char *step) {
  size_t step_len = strlen(step), path_len = strlen(w->path);
  if (w->path_is_cut || step_len + path_len >= sizeof w->path) {
    w->path_is_cut = true;
    return false;
  }
  memmove(w->path + step_len, w->path, path_len + 1);
  memcpy(w->path, step, step_len);
  return false;
}

static bool fail_below_index(struct writer *w, lua_Integer index) {
  char step[STEP_MAX_BYTES];
  snprintf(step, sizeof step, "[%lld]", (long long)index);
  return fail_below(w, step);
}

// A name that messages may have as it is: short, UTF-8, no control characters.
static bool is_plain_name(struct slice name) {
  if (name.len >= STEP_MAX_BYTES - 1 || !utf8_is_valid(name)) return false;
  for (size_t i = 0; i < name.len; i++)
    if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7F) return false;
  return true;
}

static bool fail_below_key(struct writer *w) {
  char step[STEP_MAX_BYTES];
  if (lua_isinteger(w->L, -2)) return fail_below_index(w, lua_tointeger(w->L, -2));
  struct slice name = {0};
  if (lua_type(w->L, -2) == LUA_TSTRING) name.ptr = lua_tolstring(w->L, -2, &name.len);
  if (name.ptr != NULL && is_plain_name(name))
    snprintf(step, sizeof step, ".%s", name.ptr);
  else
    snprintf(step, sizeof step, "[%s]", luaL_typename(w->L, -2));
  return fail_below(w, step);
}

static void push_fault(const struct writer *w) {
  bool has_path = w->path[0] != '\0' || w->path_is_cut;
  lua_pushfstring(w->L, "Cannot serialise %s%s%s%s%s%s", w->type, w->fault, has_path ? " (at " : "",
                  w->path_is_cut ? "..." : "", w->path, has_path ? ")" : "");
}

// ---- appending -----------------------------------------------------------

// buf_reserve without a call while there is room.
static inline char *make_room(struct buf *out, size_t bytes) {
  return out->cap - out->end >= bytes ? out->data + out->end : buf_reserve(out, bytes);
}

static inline void put(struct writer *w, char c) {
  *make_room(w->out, 1) = c;
  buf_grew(w->out, 1);
}

// ---- numbers and strings -------------------------------------------------

static bool write_integer(struct writer *w, lua_Integer integer) {
  char *to = make_room(w->out, DECIMAL_MAX + 1);
  uint64_t size = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
  if (integer < 0) *to++ = '-';
  buf_grew(w->out, decimal_write(size, to) + (integer < 0 ? 1 : 0));
  return true;
}

static bool write_number(struct writer *w, int index) {
  if (lua_isinteger(w->L, index)) return write_integer(w, lua_tointeger(w->L, index));
  lua_Number number = lua_tonumber(w->L, index);
  if (!isfinite(number)) return fail(w, "number", ": must not be NaN or Infinity");
  buf_grew(w->out, number_write(number, make_room(w->out, NUMBER_MAX)));
  return true;
}

// In pieces, since an escaped byte takes six.
static bool write_escaped(struct writer *w, struct slice text) {
  put(w, '"');
  while (text.len > 0) {
    size_t len = text.len < PIECE_BYTES ? text.len : PIECE_BYTES;
    json_append_escaped(w->out, slice_of(text.ptr, len));
    if (buf_len(w->out) > w->most) return fail_size(w);
    text = slice_of(text.ptr + len, text.len - len);
  }
  put(w, '"');
  return true;
}

static bool write_string(struct writer *w, int index) {
  struct slice text;
  text.ptr = lua_tolstring(w->L, index, &text.len);
  if (text.len > PIECE_BYTES || json_plain_bytes(text) < text.len) return write_escaped(w, text);
  char *to = make_room(w->out, text.len + 2);
  *to = '"';
  memcpy(to + 1, text.ptr, text.len);
  to[text.len + 1] = '"';
  buf_grew(w->out, text.len + 2);
  return true;
}

// ---- tables --------------------------------------------------------------

struct shape {
  bool is_list;
  lua_Integer most;   // the highest index
  lua_Integer count;  // of elements
};

static bool is_index(lua_State *L, int at) {
  return lua_isinteger(L, at) && lua_tointeger(L, at) > 0;
}

// All keys are indexes, or the first that is none stays on the stack with its value.
static bool has_indexes_only(lua_State *L, struct shape *shape) {
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (!is_index(L, -2)) return false;
    lua_Integer at = lua_tointeger(L, -2);
    if (at > shape->most) shape->most = at;
    shape->count++;
    lua_pop(L, 1);
  }
  return true;
}

static bool is_marked(struct writer *w) {
  if (!lua_getmetatable(w->L, -1)) return false;
  bool is_list = lua_topointer(w->L, -1) == w->list;
  lua_pop(w->L, 1);
  return is_list;
}

static bool find_shape(struct writer *w, struct shape *shape) {
  bool marked = is_marked(w);
  shape->is_list = has_indexes_only(w->L, shape);
  if (!shape->is_list) {
    if (marked) {
      fail_below_key(w);
      return fail(w, "table", ": an array has a key that is no index");
    }
    lua_pop(w->L, 2);
    return true;
  }
  if (marked && shape->most > shape->count) return fail(w, "table", ": an array has a hole");
  if (shape->most > SPARSE_LEAST && shape->most / SPARSE_FACTOR > shape->count)
    return fail(w, "table", ": excessively sparse array");
  shape->is_list = marked || shape->count > 0;
  return true;
}

static bool write_list(struct writer *w, lua_Integer count) {
  put(w, '[');
  for (lua_Integer i = 1; i <= count; i++) {
    if (i > 1) put(w, ',');
    lua_rawgeti(w->L, -1, i);
    if (!write_value(w)) return fail_below_index(w, i);
    lua_pop(w->L, 1);
  }
  put(w, ']');
  return true;
}

static bool write_name(struct writer *w) {
  int type = lua_type(w->L, -2);
  if (type == LUA_TSTRING) return write_string(w, -2);
  if (type != LUA_TNUMBER) return fail(w, "table", ": table key must be a number or string");
  put(w, '"');
  if (!write_number(w, -2)) return false;
  put(w, '"');
  return true;
}

static bool write_object(struct writer *w) {
  bool is_first = true;
  int table = lua_gettop(w->L);
  put(w, '{');
  lua_pushnil(w->L);
  while (lua_next(w->L, -2) != 0) {
    if (!is_first) put(w, ',');
    is_first = false;
    if (!write_name(w)) return false;
    put(w, ':');
    if (!write_value(w)) {
      lua_settop(w->L, table + 2);
      return fail_below_key(w);
    }
    lua_pop(w->L, 1);
  }
  put(w, '}');
  return true;
}

static bool write_table(struct writer *w) {
  struct shape shape = {0};
  if (++w->depth > JSON_DEPTH) return fail(w, "table", ", excessive nesting");
  vm_need_stack(w->L, 8);
  if (buf_len(w->out) > w->most) return fail_size(w);
  if (watchdog_is_over(w->L)) return fail(w, "value", ": handler_time is over");
  if (!find_shape(w, &shape)) return false;
  if (!(shape.is_list ? write_list(w, shape.most) : write_object(w))) return false;
  w->depth--;
  return true;
}

// ---- values --------------------------------------------------------------

static bool write_word(struct writer *w, const char *word) {
  buf_append_str(w->out, word);
  return true;
}

static bool write_value(struct writer *w) {
  int type = lua_type(w->L, -1);
  switch (type) {
    case LUA_TSTRING:
      return write_string(w, -1);
    case LUA_TNUMBER:
      return write_number(w, -1);
    case LUA_TTABLE:
      return write_table(w);
    case LUA_TBOOLEAN:
      return write_word(w, lua_toboolean(w->L, -1) ? "true" : "false");
    case LUA_TNIL:
      return write_word(w, "null");
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(w->L, -1) == NULL) return write_word(w, "null");
      break;
    default:
      break;
  }
  return fail(w, lua_typename(w->L, type), ": type not supported");
}

bool json_write(lua_State *L, int index, const void *list, size_t most, struct buf *out) {
  struct writer w = {.L = L, .out = out, .list = list, .most = most};
  int top = lua_gettop(L);
  lua_pushvalue(L, index);
  bool ok = write_value(&w);
  lua_settop(L, top);
  if (!ok) push_fault(&w);
  return ok;
}
