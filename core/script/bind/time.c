// core.sleep, every, after, spawn, now.
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "script/bind/modules.h"
#include "script/bind/options.h"
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

struct timer_options {
  bool on_all;
};

static const struct option_choice places[] = {{"one", false}, {"all", true}, {NULL, 0}};

static const struct option timer_rows[] = {
    {.name = "on",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct timer_options, on_all),
     .choices = places,
     .help =
         "of a timer that is made while scripts load: `\"one\"`: it runs on the first worker only, "
         "`\"all\"`: on every worker"},
};
const struct option_table timer_options = {.name = "timer", OPTION_ROWS(timer_rows)};

static bool check_on_all(lua_State *L, int arg, const char *what) {
  struct timer_options options = {0};
  options_read(L, arg, &timer_options, what, &options);
  return options.on_all;
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
