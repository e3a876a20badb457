// core.sleep, every, after, spawn, now.
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "script/bind/modules.h"
#include "script/vm/args.h"
#include "script/vm/task.h"
#include "script/serve/timer.h"
#include "script/vm/vm.h"

enum { LONGEST_S = 1000000000 };

static void on_awake(struct task *task) { task_wake(task, NULL, NULL); }

// sleep(seconds): waits; at least until the next loop turn
static int time_sleep(lua_State *L) {
  double seconds = luaL_checknumber(L, 1);
  struct task *task = task_current(L);
  task_set_timeout(task, seconds, on_awake);
  return task_wait(L, NULL);
}

static bool check_on_all(lua_State *L, int arg, const char *what) {
  if (lua_isnoneornil(L, arg)) return false;
  luaL_checktype(L, arg, LUA_TTABLE);
  static const char *const names[] = {"on", NULL};
  args_check_options(L, arg, names, what);
  struct slice on = args_opt_slice_field(L, arg, "on", what);
  if (on.ptr == NULL || slice_equal(on, slice_str("one"))) return false;
  if (!slice_equal(on, slice_str("all"))) luaL_error(L, "%s: on must be \"one\" or \"all\"", what);
  return true;
}

static double check_seconds(lua_State *L, double min) {
  double seconds = luaL_checknumber(L, 1);
  if (!(seconds >= min && seconds <= LONGEST_S)) {
    char expected[80];
    snprintf(expected, sizeof expected, "must be a number of seconds from %g to %d", min,
             LONGEST_S);
    luaL_argerror(L, 1, expected);
  }
  return seconds;
}

// every(seconds, fn [, {on = "one" | "all"}]) -> timer
static int time_every(lua_State *L) {
  double seconds = check_seconds(L, 0.001);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  timer_push(L, 2, 0, seconds, seconds, check_on_all(L, 3, "every"));
  return 1;
}

// after(seconds, fn [, {on = "one" | "all"}]) -> timer
static int time_after(lua_State *L) {
  double seconds = check_seconds(L, 0);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  timer_push(L, 2, 0, seconds, 0, check_on_all(L, 3, "after"));
  return 1;
}

// spawn(fn, ...) -> timer: runs fn(...) in a task of its own, from the next turn on
static int time_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  int args = lua_gettop(L) - 1;
  luaL_argcheck(L, args <= TIMER_MAX_ARGS, TIMER_MAX_ARGS + 2, "too many arguments");
  timer_push(L, 1, args, 0, 0, false);
  return 1;
}

// now() -> seconds since 1970, with fraction
static int time_now(lua_State *L) {
  lua_pushnumber(L, clock_wall_s());
  return 1;
}

static const luaL_Reg functions[] = {
    {"sleep", time_sleep}, {"every", time_every}, {"after", time_after},
    {"spawn", time_spawn}, {"now", time_now},     {NULL, NULL},
};

static void open_module(lua_State *L) { luaL_setfuncs(L, functions, 0); }

struct script_module bind_time = {.name = "time", .open = open_module};
