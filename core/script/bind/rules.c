// core.topic: the rules of topics, which a generation declares while it loads.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/worker.h"
#include "script/bind/modules.h"
#include "script/bind/topic.h"
#include "script/reload/generation.h"
#include "script/vm/args.h"
#include "script/vm/vm.h"

// A number of the rule, 0 when it is not named.
static double number_option(lua_State *L, const char *name, double least, double most) {
  return args_opt_number_field(L, 2, name, "topic", least, most, 0);
}

static double whole_option(lua_State *L, const char *name, double least, double most) {
  double value = number_option(L, name, least, most);
  if (value != floor(value)) luaL_error(L, "topic: %s must be a whole number", name);
  return value;
}

// presence = true | false | {grace = seconds}
static void read_presence(lua_State *L, int index, struct hub_rule *rule) {
  static const char *const names[] = {"grace", NULL};
  int type = lua_getfield(L, index, "presence");
  if (type == LUA_TTABLE) {
    int table = lua_gettop(L);
    args_check_options(L, table, names, "topic: presence");
    double grace = args_opt_number_field(L, table, "grace", "topic", 0, 1e6, -1);
    if (grace >= 0) rule->grace_ms = grace > 0 ? (uint32_t)ceil(grace * 1000) : HUB_GRACE_NONE;
  } else if (type == LUA_TBOOLEAN) {
    rule->presence_off = !lua_toboolean(L, -1);
  } else if (type != LUA_TNIL) {
    luaL_error(L, "topic: presence must be true, false or a table, got %s", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

// ---- the rules of a generation -------------------------------------------

struct rules {
  struct hub_rule *all;
  size_t count;
};

static void add_rule(struct generation *generation, const struct hub_rule *rule) {
  struct rules *rules = generation_state(generation, &bind_rules);
  rules->all = mem_realloc(rules->all, (rules->count + 1) * sizeof *rules->all);
  struct hub_rule *kept = &rules->all[rules->count++];
  *kept = *rule;
  kept->pattern = mem_strdup(rule->pattern);
}

static void forget_rules(struct generation *generation) {
  struct rules *rules = generation_state(generation, &bind_rules);
  for (size_t i = 0; i < rules->count; i++) free((char *)rules->all[i].pattern);
  free(rules->all);
}

static void set_rules(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  const struct rules *rules = generation_state(next, &bind_rules);
  if (vm->worker->index == 0) hub_rules_set(vm->worker->hub, rules->all, rules->count);
}

// topic(pattern, {history, bytes, ttl, lag, limit, presence}): a rule, while scripts load
static int declare_topic(lua_State *L) {
  struct vm *vm = vm_of(L);
  struct slice pattern = topic_check_pattern(L, 1);
  static const char *const names[] = {"history", "bytes", "ttl", "lag", "limit", "presence", NULL};
  luaL_checktype(L, 2, LUA_TTABLE);
  args_check_options(L, 2, names, "topic");
  if (vm->loading == NULL) return luaL_error(L, "gate.topic can only be called while scripts load");
  struct hub_rule rule = {.pattern = pattern.ptr};
  rule.history = (uint32_t)whole_option(L, "history", 0, 1e9);
  rule.bytes = (uint64_t)whole_option(L, "bytes", 1, 1e12);
  rule.ttl_ms = (uint64_t)ceil(number_option(L, "ttl", 0, 1e10) * 1000);
  rule.limit = (uint32_t)whole_option(L, "limit", 0, 4e9);
  rule.lag = topic_check_lag(L, 2, "topic");
  read_presence(L, 2, &rule);
  add_rule(vm->loading, &rule);
  return 0;
}

static const luaL_Reg functions[] = {{"topic", declare_topic}, {NULL, NULL}};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

// The hub is one for all workers: the first sets its rules.
struct script_module bind_rules = {.name = "rules",
                                   .open = open_module,
                                   .forget = forget_rules,
                                   .switch_to = set_rules,
                                   .generation_state_bytes = sizeof(struct rules)};
