// core.stats, core.metrics: the numbers of the process, and what they mean.
#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "base/log_out.h"
#include "base/metrics.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "script/bind/modules.h"
#include "script/reload/generation.h"
#include "script/vm/vm.h"

static const void *net_values(const struct vm *vm) { return vm->worker->stats; }
static const void *hub_values(const struct vm *vm) { return hub_counters(vm->worker->hub); }
static const void *log_values(const struct vm *vm) { return (void)vm, &log_counts; }
static const void *vm_values(const struct vm *vm) { return &vm->metrics; }

// All metrics there are.
static const struct group {
  const struct metrics *metrics;
  const void *(*values)(const struct vm *vm);  // that the rows are about
} groups[] = {{&stats_metrics, net_values},
              {&hub_metrics, hub_values},
              {&vm_metrics, vm_values},
              {&log_metrics, log_values}};

enum { GROUPS = sizeof groups / sizeof *groups };

static void set_integer(lua_State *L, const char *name, long long value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static void set_metrics(lua_State *L, const struct group *group) {
  const struct metrics *metrics = group->metrics;
  const void *values = group->values(vm_of(L));
  for (size_t i = 0; i < metrics->count; i++)
    set_integer(L, metrics->rows[i].name, metric_read(&metrics->rows[i], values));
}

// No metrics: they say which worker answers, what it runs and since when, and so have no
// meaning apart from the one who asks.
static void set_asker(lua_State *L) {
  const struct vm *vm = vm_of(L);
  const struct generation *generation = vm->loading != NULL ? vm->loading : vm->live;
  set_integer(L, "worker", vm->worker->index);
  // None for what Lua collects when the VM ends.
  set_integer(L, "generation", generation != NULL ? generation->number : 0);
  lua_pushnumber(L, (double)(clock_mono_ms() - vm->worker->started_ms) / 1000);
  lua_setfield(L, -2, "uptime");
}

// stats() -> table of all metrics by name, with worker, generation, uptime
static int stats(lua_State *L) {
  lua_createtable(L, 0, 32);
  for (size_t i = 0; i < GROUPS; i++) set_metrics(L, &groups[i]);
  set_asker(L);
  return 1;
}

static void push_row(lua_State *L, const struct metric *row) {
  static const char *const kinds[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge"};
  lua_createtable(L, 0, 3);
  lua_pushstring(L, row->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kinds[row->kind]);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, row->help);
  lua_setfield(L, -2, "help");
}

// metrics() -> array of {name, kind, help}, for the reference
static int list_metrics(lua_State *L) {
  lua_Integer count = 0;
  lua_createtable(L, 32, 0);
  for (size_t i = 0; i < GROUPS; i++) {
    for (size_t r = 0; r < groups[i].metrics->count; r++) {
      push_row(L, &groups[i].metrics->rows[r]);
      lua_rawseti(L, -2, ++count);
    }
  }
  return 1;
}

static const luaL_Reg functions[] = {{"stats", stats}, {"metrics", list_metrics}, {NULL, NULL}};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_stats = {.name = "stats", .open = open_module};
