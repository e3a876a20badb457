// core.topic: declares a rule of topics.
#include <lauxlib.h>
#include <lua.h>

#include "hub/hub.h"
#include "script/bind/modules.h"
#include "script/bind/options.h"
#include "script/bind/topic.h"
#include "script/serve/rules.h"
#include "script/vm/vm.h"

// ---- options -------------------------------------------------------------

struct presence_options {
  uint32_t grace_ms;
};

static const struct option presence_rows[] = {
    {.name = "grace",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct presence_options, grace_ms),
     .most = 1e6,
     .scale = 1000,
     .otherwise = HUB_GRACE_MS / 1000.0,
     .help = "seconds that a member stays after its last connection has left; 0: not at all"},
};
const struct option_table presence_options = {
    .name = "presence", .of = "presence", OPTION_ROWS(presence_rows), .has_defaults = true};

// presence = true | false | {grace = seconds}
static void read_presence(lua_State *L, const char *what, void *out) {
  struct hub_rule *rule = out;
  struct presence_options presence = {0};
  if (lua_isboolean(L, -1)) {
    rule->presence_off = !lua_toboolean(L, -1);
    return;
  }
  if (!lua_istable(L, -1))
    luaL_error(L, "%s: presence must be true, false or a table, got %s", what,
               luaL_typename(L, -1));
  options_read(L, lua_gettop(L), &presence_options, what, &presence);
  rule->grace_ms = presence.grace_ms > 0 ? presence.grace_ms : HUB_GRACE_NONE;
}

static const struct option topic_rows[] = {
    {.name = "history",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct hub_rule, history),
     .most = 1e9,
     .fallback = "0",
     .help = "messages kept for who joins with `since`, and as many keys. "
             "0: [none](lua/doc/topics.md#no-history)"},
    {.name = "bytes",
     .type = OPTION_BYTES,
     OPTION_FIELD(struct hub_rule, bytes),
     .least = 1,
     .most = 1e12,
     .otherwise = HUB_BYTES,
     .help = "payload bytes kept, and the largest message; at least 1"},
    {.name = "ttl",
     .type = OPTION_SECONDS,
     OPTION_FIELD(struct hub_rule, ttl_ms),
     .most = 1e10,
     .scale = 1000,
     .fallback = "none",
     .help = "seconds until a message is dropped; 0: none"},
    {.name = "lag",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct hub_rule, lag),
     .choices = topic_lags,
     .otherwise = HUB_LAG_SKIP,
     .luals = "tidegate.lag",
     .help = "as in `join`"},
    {.name = "limit",
     .type = OPTION_WHOLE,
     OPTION_FIELD(struct hub_rule, limit),
     .most = 4e9,
     .fallback = "none",
     .help = "subscribers; `join` fails with `\"limit\"` beyond; 0: none"},
    {.name = "presence",
     .type = OPTION_SWITCH,
     .inner = &presence_options,
     .read = read_presence,
     .fallback = "`true`",
     .help =
         "whether `as` makes members, or a table of [its options](lua/doc/presence.md#options). "
         "`false`: `join` with `as` fails with `\"presence\"`"},
};
const struct option_table topic_options = {
    .name = "topic", OPTION_ROWS(topic_rows), .has_defaults = true};

// ---- the function --------------------------------------------------------

// topic(pattern, {history, bytes, ttl, lag, limit, presence}): a rule, while scripts load
static int declare_topic(lua_State *L) {
  struct vm *vm = vm_of(L);
  struct slice pattern = topic_check_pattern(L, 1);
  struct hub_rule rule = {0};
  luaL_checktype(L, 2, LUA_TTABLE);
  options_read(L, 2, &topic_options, "topic", &rule);
  if (vm->loading == NULL) return luaL_error(L, "gate.topic can only be called while scripts load");
  rule.pattern = pattern.ptr;
  rules_declare(vm->loading, &rule);
  return 0;
}

static const luaL_Reg functions[] = {{"topic", declare_topic}, {NULL, NULL}};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_rules = {.name = "topic", .open = open_module};
