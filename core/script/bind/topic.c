// Arguments about topics: see topic.h.
#include "script/bind/topic.h"

#include <lauxlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rarely.h"
#include "script/vm/args.h"
#include "script/vm/vm.h"

// What a script is told. Bounds of the server are logged, too: few scripts look at what
// `join` returns.
static const struct refusal {
  enum hub_status status;
  bool is_logged;
  const char *code, *message;
} refusals[] = {
    {HUB_BAD_TOPIC, false, "topic", "a topic " TOPIC_NAME_RULE},
    {HUB_IS_PATTERN, false, "topic",
     "a name with * is a pattern, not a topic: only gate.topics, gate.subscribe, "
     "gate.on_presence and gate.topic take one"},
    {HUB_RESERVED, false, "topic",
     "only the hub publishes to topics that begin with " HUB_PRESENCE_PREFIX},
    {HUB_LONG_TOPIC, false, "topic", "a topic with members has a name of at most 246 bytes"},
    {HUB_NOT_JOINED, false, "not_joined", "not joined"},
    {HUB_NO_PRESENCE, false, "presence", "the topic's rule turns presence off"},
    {HUB_BAD_MEMBER, false, "as", "as " TOPIC_NAME_RULE},
    {HUB_INFO_TOO_LARGE, false, "too_large", "info has more than 16384 bytes as JSON"},
    {HUB_LIMIT, false, "limit", "the topic has as many subscribers as its limit allows"},
    {HUB_LIMIT_TOPICS, true, "limit",
     "this connection has joined as many topics as max_topics allows"},
    {HUB_LIMIT_SUBSCRIPTIONS, true, "limit",
     "this worker has as many subscriptions as max_subscriptions allows"},
    {HUB_LIMIT_MEMBERS, true, "limit",
     "members take as much memory as they may have, half of hub_max_bytes"},
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

static void log_refusal(const struct refusal *refusal) {
  static struct rarely rarely[REFUSALS];
  if (!refusal->is_logged || !rarely_is_due(&rarely[refusal - refusals], clock_mono_ms())) return;
  log_warn("a join failed with \"limit\": %s (joins_refused counts them; logged once a minute)",
           refusal->message);
}

int topic_fail(lua_State *L, enum hub_status status) {
  const struct refusal *refusal = refusals;
  while (refusal->status != status && refusal < refusals + REFUSALS - 1) refusal++;
  log_refusal(refusal);
  return vm_fail(L, refusal->message, refusal->code);
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
