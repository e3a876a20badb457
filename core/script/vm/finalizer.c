// Finalizers of scripts: see finalizer.h.
#include "script/vm/finalizer.h"

#include <lauxlib.h>
#include <stdio.h>

#include "net/worker.h"
#include "script/vm/box.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

enum { TURN_FINALIZERS = 64 };

// The user values of a guard: its table, and the guard behind it in the queue.
enum { GUARD_TABLE = 1, GUARD_NEXT, GUARD_VALUES = GUARD_NEXT };
// The places of the queue, a table: false or a guard.
enum { QUEUE_FIRST = 1, QUEUE_LAST };

struct finalizers {
  int guards_ref;  // table with weak keys: a guard for each table that has one
  int queue_ref;
  bool is_posted;   // finalizer_run is on its way
  bool is_stopped;  // the VM ends
};

static struct box_type guard_type = {.name = "tidegate.guard"};

static struct finalizers *finalizers_of(const struct vm *vm) {
  return vm_state(vm, &finalizer_module);
}

// ---- guarding ------------------------------------------------------------

// Gives the table at index 1 a guard, unless it has one.
static void guard(lua_State *L) {
  if (finalizers_of(vm_of(L))->is_stopped) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, finalizers_of(vm_of(L))->guards_ref);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pushvalue(L, 1);
    box_push(L, &guard_type, 0, GUARD_VALUES);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, GUARD_TABLE);
    lua_rawset(L, -4);
  }
  lua_settop(L, 3);
}

// The metatable at index 2, whose __gc is at 3. To put a value in the place of one that is there
// needs no memory, so what is hidden comes back.
static void set_hiding(lua_State *L) {
  guard(L);
  lua_pushliteral(L, "__gc");
  lua_pushvalue(L, -1);
  lua_pushnil(L);
  lua_rawset(L, 2);
  lua_pushvalue(L, 2);
  lua_setmetatable(L, 1);
  lua_pushvalue(L, 3);
  lua_rawset(L, 2);
}

// setmetatable(table, metatable | nil) -> table
static int set_metatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
    return luaL_error(L, "cannot change a protected metatable");
  lua_settop(L, 2);
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, 2) != LUA_TNIL) {
      set_hiding(L);
      lua_settop(L, 1);
      return 1;
    }
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  return 1;
}

// ---- the queue -----------------------------------------------------------

static void run_posted(struct worker *worker, void *vm) {
  (void)worker;
  finalizer_run(vm);
}

static void post(struct vm *vm) {
  struct finalizers *finalizers = finalizers_of(vm);
  if (finalizers->is_posted || vm->worker == NULL) return;
  finalizers->is_posted = true;
  worker_post(vm->worker, run_posted, vm);
}

// __gc of guards, called by the collector in the middle of anything: it allocates nothing in Lua,
// and so cannot fail.
static int queue_guard(lua_State *L) {
  struct vm *vm = vm_of(L);
  struct finalizers *finalizers = finalizers_of(vm);
  if (finalizers->is_stopped) return 0;
  lua_settop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, finalizers->queue_ref);
  if (lua_rawgeti(L, 2, QUEUE_LAST) == LUA_TUSERDATA) {
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 3, GUARD_NEXT);
  } else {
    lua_pushvalue(L, 1);
    lua_rawseti(L, 2, QUEUE_FIRST);
  }
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, QUEUE_LAST);
  post(vm);
  return 0;
}

static void put_false_unless_guard(lua_State *L, int queue, int place) {
  if (!lua_isuserdata(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
  }
  lua_rawseti(L, queue, place);
}

// Takes the first guard off the queue and pushes its table; false when there is none.
static bool take_table(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, finalizers_of(vm_of(L))->queue_ref);
  int queue = lua_gettop(L);
  if (lua_rawgeti(L, queue, QUEUE_FIRST) != LUA_TUSERDATA) {
    lua_settop(L, queue - 1);
    return false;
  }
  lua_getiuservalue(L, -1, GUARD_NEXT);
  bool is_last = !lua_isuserdata(L, -1);
  put_false_unless_guard(L, queue, QUEUE_FIRST);
  if (is_last) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, queue, QUEUE_LAST);
  }
  lua_getiuservalue(L, -1, GUARD_TABLE);
  lua_replace(L, queue);
  lua_settop(L, queue);
  return true;
}

// Pushes the finalizer of the table on top, below it; false when it has none now.
static bool push_finalizer(lua_State *L) {
  if (!lua_getmetatable(L, -1)) return false;
  lua_pushliteral(L, "__gc");
  int type = lua_rawget(L, -2);
  lua_replace(L, -2);
  lua_insert(L, -2);
  if (type == LUA_TFUNCTION) return true;
  lua_remove(L, -2);
  return false;
}

// From here on the table has no guard: one that lives on is finalized again only after another
// setmetatable, as in Lua.
static void forget_guard(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, finalizers_of(vm_of(L))->guards_ref);
  lua_pushvalue(L, -2);
  lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static int do_nothing(lua_State *L) {
  (void)L;
  return 0;
}

// ---- calling -------------------------------------------------------------

// What a task of a finalizer begins with.
static int push_due(lua_State *L, void *has_more) {
  *(bool *)has_more = take_table(L);
  if (!*(bool *)has_more) {
    lua_pushcfunction(L, do_nothing);
    return 0;
  }
  forget_guard(L);
  if (push_finalizer(L)) return 1;
  lua_pop(L, 1);
  lua_pushcfunction(L, do_nothing);
  return 0;
}

static void describe(void *owner, char *out, size_t size) {
  (void)owner;
  snprintf(out, size, "finalizer (__gc)");
}

static const struct task_owner finalizer_owner = {.describe = describe};

static bool run_task(struct vm *vm, int (*push)(lua_State *L, void *arg), void *arg) {
  struct task *task = task_new(vm, &finalizer_owner, finalizers_of(vm));
  if (task != NULL) task_start(task, push, arg);
  return task != NULL;
}

void finalizer_run(struct vm *vm) {
  struct turn_clock *clock = &vm->worker->clock;
  finalizers_of(vm)->is_posted = false;
  bool has_more = true;
  turn_clock_begin_part(clock);
  for (int i = 0; has_more && i < TURN_FINALIZERS; i++) {
    if (!run_task(vm, push_due, &has_more)) return;  // the next that is queued posts again
    if (turn_clock_is_part_over(clock)) break;
  }
  if (!has_more) return;
  metric_add(&vm->worker->stats->put_off, 1);
  post(vm);
}

// ---- the end of the VM ---------------------------------------------------

// The finalizer of the table on top, which fails alone, unless the time of all is over.
static void call_finalizer(lua_State *L) {
  if (push_finalizer(L)) lua_pcall(L, 1, 0, 0);
  if (!watchdog_pass_on(L)) return;
  lua_pushstring(L, vm_of(L)->strike.text);
  lua_error(L);
}

// Calls the finalizers of all tables that have one: the queued ones first. One task, so all
// together have handler_time. What they make has no finalizer any more.
static int call_all(lua_State *L) {
  while (take_table(L)) {
    forget_guard(L);
    call_finalizer(L);
    lua_settop(L, 0);
  }
  struct finalizers *finalizers = finalizers_of(vm_of(L));
  lua_rawgeti(L, LUA_REGISTRYINDEX, finalizers->guards_ref);
  finalizers->is_stopped = true;
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    call_finalizer(L);
    lua_settop(L, 2);
  }
  return 0;
}

static int push_call_all(lua_State *L, void *arg) {
  (void)arg;
  lua_pushcfunction(L, call_all);
  return 0;
}

static void stop(struct vm *vm) {
  run_task(vm, push_call_all, NULL);
  finalizers_of(vm)->is_stopped = true;
}

// ---- the module ----------------------------------------------------------

static void open_module(lua_State *L) {
  struct finalizers *finalizers = finalizers_of(vm_of(L));
  box_new_type(L, &guard_type);
  lua_pushcfunction(L, queue_guard);
  lua_setfield(L, -2, "__gc");
  vm_push_weak_table(L);
  finalizers->guards_ref = vm_ref(L);
  lua_createtable(L, 2, 0);
  for (int place = QUEUE_FIRST; place <= QUEUE_LAST; place++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, place);
  }
  finalizers->queue_ref = vm_ref(L);
  lua_register(L, "setmetatable", set_metatable);
}

struct script_module finalizer_module = {.name = "finalizer",
                                         .open = open_module,
                                         .stop = stop,
                                         .vm_state_bytes = sizeof(struct finalizers)};
