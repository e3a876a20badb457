// The Lua side of drivers: see lua_vm.h.
#include "lua_vm.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/config.h"
#include "fuzz.h"
#include "net/worker.h"
#include "no_leaks.h"
#include "script/bind/modules.h"
#include "script/vm/vm.h"

enum { MEMORY_MAX = 64 * 1024 * 1024, COUNTERS = 8192, FIELDS_MAX = 8 };

// libFuzzer reads this section beside the counters that the compiler makes.
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static void count_line(lua_State *L, lua_Debug *at) {
  lua_getinfo(L, "Sl", at);
  size_t hash = (size_t)at->currentline;
  for (const char *p = at->short_src; *p != '\0'; p++) hash = hash * 31 + (unsigned char)*p;
  counters[hash % COUNTERS]++;
}

static int open_driver(lua_State *L) {
  const char *name = lua_touserdata(L, 1);
  lua_getglobal(L, "package");
  lua_pushliteral(L, "lua/?.lua;tests/fuzz/?.lua");
  lua_setfield(L, -2, "path");
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "driver");
  return 0;
}

static struct vm *vm_of_driver(const char *name) {
  static struct config config;
  static struct worker worker = {.config = &config};
  static struct vm *vm;
  if (vm != NULL) return vm;
  config_init(&config);
  vm = vm_new(&worker, ".", MEMORY_MAX, script_modules);
  assert_non_null(vm);
  assert_true(vm_enter(vm, open_driver, (void *)name, name));
  lua_sethook(vm->L, count_line, LUA_MASKLINE, 0);
  return vm;
}

static int add_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int call_driver(lua_State *L) {
  struct slice rest = *(const struct slice *)lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "driver");
  int count = 0;
  do {
    vm_push_slice(L, fuzz_take_field(&rest));
    count++;
  } while (rest.len > 0 && count < FIELDS_MAX);
  lua_call(L, count, 0);
  return 0;
}

void lua_vm_run_within(const char *name, struct slice input, size_t room_bytes) {
  struct vm *vm = vm_of_driver(name);
  if (room_bytes < MEMORY_MAX)
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room_bytes;
  lua_pushcfunction(vm->L, add_traceback);
  lua_pushcfunction(vm->L, call_driver);
  lua_pushlightuserdata(vm->L, &input);
  int status = lua_pcall(vm->L, 1, 0, -3);
  vm->memory_max_bytes = MEMORY_MAX;
  fuzz_release();
  if (status != LUA_OK && (status != LUA_ERRMEM || room_bytes == MEMORY_MAX)) {
    fail_msg("%s", luaL_tolstring(vm->L, -1, NULL));
  }
  lua_settop(vm->L, 0);
}

void lua_vm_run(const char *name, struct slice input) {
  lua_vm_run_within(name, input, MEMORY_MAX);
}
