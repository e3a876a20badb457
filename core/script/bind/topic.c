// Arguments about topics: see topic.h.
#include "script/bind/topic.h"

#include <lauxlib.h>

#include "script/vm/args.h"

struct slice topic_check_pattern(lua_State *L, int arg) {
  struct slice pattern = args_check_string(L, arg);
  luaL_argcheck(L, hub_topic_is_valid(pattern), arg, TOPIC_NAME_RULE);
  return pattern;
}

enum hub_since topic_check_since(lua_State *L, int index, const char *what, struct slice *id) {
  int type = lua_getfield(L, index, "since");
  if (type == LUA_TNIL) return HUB_SINCE_NOW;
  if (type != LUA_TSTRING)
    luaL_error(L, "%s: since must be a string, got %s", what, luaL_typename(L, -1));
  *id = args_check_slice(L, -1);
  if (slice_equal(*id, slice_str("first"))) return HUB_SINCE_FIRST;
  if (slice_equal(*id, slice_str("last"))) return HUB_SINCE_LAST;
  return HUB_SINCE_ID;
}

enum hub_lag topic_check_lag(lua_State *L, int index, const char *what) {
  struct slice lag = args_opt_slice_field(L, index, "lag", what);
  if (lag.ptr == NULL) return HUB_LAG_DEFAULT;
  if (slice_equal(lag, slice_str("skip"))) return HUB_LAG_SKIP;
  if (slice_equal(lag, slice_str("latest"))) return HUB_LAG_LATEST;
  if (slice_equal(lag, slice_str("close"))) return HUB_LAG_CLOSE;
  return (enum hub_lag)luaL_error(L, "%s: lag must be \"skip\", \"latest\" or \"close\"", what);
}
