// Arguments about topics: see topic.h.
#include "script/bind/topic.h"

#include <lauxlib.h>

#include "script/vm/args.h"

struct slice topic_check_pattern(lua_State *L, int arg) {
  struct slice pattern = args_check_string(L, arg);
  luaL_argcheck(L, hub_topic_is_valid(pattern), arg, TOPIC_NAME_RULE);
  return pattern;
}

enum hub_since topic_check_since(lua_State *L, const char *what, struct slice *id) {
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s: since must be a string, got %s", what, luaL_typename(L, -1));
  *id = args_check_slice(L, -1);
  if (slice_equal(*id, slice_str("first"))) return HUB_SINCE_FIRST;
  if (slice_equal(*id, slice_str("last"))) return HUB_SINCE_LAST;
  return HUB_SINCE_ID;
}

const struct option_choice topic_lags[] = {
    {"skip", HUB_LAG_SKIP}, {"latest", HUB_LAG_LATEST}, {"close", HUB_LAG_CLOSE}, {NULL, 0}};
