// Arguments about topics: see topic.h.
#include "script/bind/topic.h"

#include <lauxlib.h>

#include "script/vm/args.h"
#include "script/vm/vm.h"

int topic_fail(lua_State *L, enum hub_status status) {
  switch (status) {
    case HUB_IS_PATTERN:
      return vm_fail(L,
                     "a name with * is a pattern, not a topic: only gate.topics, gate.subscribe, "
                     "gate.on_presence and gate.topic take one",
                     "topic");
    case HUB_LONG_TOPIC:
      return vm_fail(L, "a topic with members has a name of at most 246 bytes", "topic");
    case HUB_RESERVED:
      return vm_fail(L, "only the hub publishes to topics that begin with " HUB_PRESENCE_PREFIX,
                     "topic");
    default:
      return vm_fail(L, "a topic " TOPIC_NAME_RULE, "topic");
  }
}

struct slice topic_check_pattern(lua_State *L, int arg) {
  struct slice pattern = args_check_string(L, arg);
  luaL_argcheck(L, hub_pattern_is_valid(pattern), arg, TOPIC_NAME_RULE);
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
