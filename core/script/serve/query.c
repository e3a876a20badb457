// Query strings and forms: see query.h.
#include "script/serve/query.h"

#include <string.h>

#include "base/buf.h"
#include "proto/url.h"
#include "script/vm/vm.h"

void query_push_decoded(lua_State *L, struct slice text, bool plus_is_space) {
  if (text.len == 0 || (memchr(text.ptr, '%', text.len) == NULL &&
                        (!plus_is_space || memchr(text.ptr, '+', text.len) == NULL))) {
    vm_push_slice(L, text);
    return;
  }
  struct buf out = {0};
  if (url_decode(text, plus_is_space, &out))
    lua_pushlstring(L, out.data == NULL ? "" : out.data, out.end);
  else
    vm_push_slice(L, text);
  buf_free(&out);
}

void query_push_pairs(lua_State *L, struct slice text) {
  lua_newtable(L);
  struct slice name, value;
  while (url_next_pair(&text, &name, &value)) {
    query_push_decoded(L, name, true);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
      lua_pop(L, 1);
      query_push_decoded(L, value, true);
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 2);
    }
  }
}
