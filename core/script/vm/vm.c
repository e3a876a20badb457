// The VM of a worker: see vm.h.
#include "script/vm/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/worker.h"

enum { PUSH_ROOM_BYTES = 4096 };  // more than a string takes beside its bytes

static const struct metric rows[] = {
    METRIC(vm_metrics, vm_bytes, METRIC_GAUGE, "Memory that the Lua state of a worker holds"),
};
const struct metrics vm_metrics = METRICS(rows);

static size_t held_bytes(const struct vm *vm) { return (size_t)metric_get(&vm->metrics.vm_bytes); }

static void *refuse(struct vm *vm) {
  if (vm->refused.count > 0 && --vm->refused.count == 0)
    vm->memory_max_bytes = vm->refused.max_bytes;
  return NULL;
}

// Lua's allocator with a cap: beyond it Lua collects garbage, and if that does
// not help raises "not enough memory" in the script.
static void *capped_alloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes) {
  struct vm *vm = ctx;
  if (ptr == NULL) old_bytes = 0;  // then it is a type tag
  size_t others = held_bytes(vm) - old_bytes;
  if (new_bytes == 0) {
    free(ptr);
    metric_set(&vm->metrics.vm_bytes, (long long)others);
    return NULL;
  }
  if (new_bytes > old_bytes && others + new_bytes > vm->memory_max_bytes) return refuse(vm);
  void *moved = realloc(ptr, new_bytes);
  if (moved != NULL) metric_set(&vm->metrics.vm_bytes, (long long)others + (long long)new_bytes);
  return moved;
}

// Only reached for errors outside vm_enter and tasks: a fault of ours.
static int on_panic(lua_State *L) {
  log_error("lua panic: %s", lua_tostring(L, -1));
  return 0;
}

// ---- modules -------------------------------------------------------------

static int open_core(lua_State *L) {
  lua_newtable(L);
  for (struct script_module *const *m = vm_of(L)->modules; *m != NULL; m++) {
    if ((*m)->open == NULL) continue;
    (*m)->open(L);
    lua_settop(L, 2);
  }
  return 1;
}

// Lua makes the metatable of its large buffers when it needs the first. If memory ran out in the
// midst of that, it would stay without its methods, and every large buffer would fail for ever.
static void make_large_buffer(lua_State *L) {
  luaL_Buffer buffer;
  luaL_buffinitsize(L, &buffer, 2 * (size_t)LUAL_BUFFERSIZE);
  luaL_pushresultsize(&buffer, 0);
  lua_pop(L, 1);
}

static int open_libraries(lua_State *L) {
  luaL_openlibs(L);
  make_large_buffer(L);
  luaL_requiref(L, "tidegate.core", open_core, 0);
  return 0;
}

static void make_states(struct vm *vm) {
  unsigned count = 0;
  for (; vm->modules[count] != NULL; count++) vm->modules[count]->slot = count;
  vm->states = mem_zalloc((count + 1) * sizeof *vm->states);
  for (unsigned i = 0; i < count; i++) {
    size_t bytes = vm->modules[i]->vm_state_bytes;
    if (bytes > 0) vm->states[i] = mem_zalloc(bytes);
  }
}

// ---- life ----------------------------------------------------------------

static void free_memory(struct vm *vm) {
  for (unsigned i = 0; vm->modules[i] != NULL; i++) free(vm->states[i]);
  free(vm->states);
  free(vm);
}

struct vm *vm_new(struct worker *worker, const char *dir, size_t memory_max_bytes,
                  struct script_module *const *modules) {
  struct vm *vm = mem_zalloc(sizeof *vm);
  vm->worker = worker;
  vm->dir = dir;
  vm->memory_max_bytes = memory_max_bytes;
  vm->modules = modules;
  make_states(vm);
  vm->L = lua_newstate(capped_alloc, vm);
  if (vm->L == NULL) {
    free_memory(vm);
    return NULL;
  }
  *(struct vm **)lua_getextraspace(vm->L) = vm;
  lua_atpanic(vm->L, on_panic);
  // Handlers make short-lived garbage: the generational mode suits them. While
  // sessions pile up it falls back to whole collections, which by default wait
  // until the heap has doubled: here, until it has grown by a fifth.
  lua_gc(vm->L, LUA_GCINC, 120, 0, 0);
  lua_gc(vm->L, LUA_GCGEN, 0, 0);
  if (!vm_enter(vm, open_libraries, NULL, "opening the libraries")) {
    lua_close(vm->L);
    free_memory(vm);
    return NULL;
  }
  return vm;
}

void vm_stop(struct vm *vm) {
  if (vm->is_stopped) return;
  vm->is_stopped = true;
  for (struct script_module *const *m = vm->modules; *m != NULL; m++) {
    if ((*m)->stop != NULL) (*m)->stop(vm);
  }
}

void vm_free(struct vm *vm) {
  vm_stop(vm);
  lua_close(vm->L);
  free_memory(vm);
}

// ---- the protected way in ------------------------------------------------

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) message = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, message, 1);
  return 1;
}

bool vm_enter(struct vm *vm, lua_CFunction fn, void *arg, const char *what) {
  lua_State *L = vm->L;
  int top = lua_gettop(L);
  // Light values only: nothing here can fail for lack of memory.
  if (!lua_checkstack(L, 8)) return false;
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, fn);
  lua_pushlightuserdata(L, arg);
  bool ok = lua_pcall(L, 1, 0, top + 1) == LUA_OK;
  if (!ok)
    log_error("%s: %s", what,
              lua_isstring(L, -1) ? lua_tostring(L, -1) : "error in error handling");
  lua_settop(L, top);
  return ok;
}

void vm_raise_loading(lua_State *L) {
  luaL_error(L,
             "cannot act on a session or response while scripts load, since they may fail; "
             "use gate.after(0, fn, { on = \"all\" })");
}

int vm_ref(lua_State *L) { return luaL_ref(L, LUA_REGISTRYINDEX); }

void vm_unref(struct vm *vm, int ref) { luaL_unref(vm->L, LUA_REGISTRYINDEX, ref); }

void vm_lock_metatable(lua_State *L) {
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

void vm_push_weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

int vm_raise_unseen(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (vm->refused.count == 0) vm->refused.max_bytes = vm->memory_max_bytes;
  vm->refused.count = 2;  // Lua tries again after a collection
  vm->memory_max_bytes = 0;
  lua_newuserdatauv(L, 1, 0);
  return luaL_error(L, "not enough memory");  // not reached
}

// ---- values -------------------------------------------------------------

// In development the log has what scripts easily overlook: a call that fails returns nil.
// "closed" and "timeout" are the usual ends of waiting.
static void log_overlooked(lua_State *L, const char *message, const char *code) {
  const struct worker *worker = vm_of(L)->worker;
  if (worker == NULL || worker->config == NULL || !worker->config->dev) return;
  if (strcmp(code, "closed") == 0 || strcmp(code, "timeout") == 0) return;
  lua_Debug call;
  bool is_known = lua_getstack(L, 0, &call) && lua_getinfo(L, "n", &call) && call.name != NULL;
  luaL_where(L, 1);
  log_warn("%s%s returned nil, \"%s\", \"%s\"", lua_tostring(L, -1),
           is_known ? call.name : "a function", message, code);
  lua_pop(L, 1);
}

int vm_fail(lua_State *L, const char *message, const char *code) {
  log_overlooked(L, message, code);
  lua_pushnil(L);
  lua_pushstring(L, message);
  lua_pushstring(L, code);
  return 3;
}

struct push {
  lua_State *co;
  struct slice text;
};

static int push_protected(lua_State *L) {
  const struct push *push = lua_touserdata(L, 1);
  vm_push_slice(L, push->text);
  lua_xmove(L, push->co, 1);
  return 0;
}

bool vm_push_text(struct vm *vm, lua_State *co, struct slice text) {
  // What it allocates: the string; a larger table of strings, which may fail. So
  // with room to spare nothing can raise (a collection does not).
  if (held_bytes(vm) + text.len + PUSH_ROOM_BYTES <= vm->memory_max_bytes) {
    vm_push_slice(vm->L, text);
    lua_xmove(vm->L, co, 1);
    return true;
  }
  struct push push = {co, text};
  return vm_enter(vm, push_protected, &push, "pushing a message");
}

void vm_push_slice(lua_State *L, struct slice text) {
  lua_pushlstring(L, text.len > 0 ? text.ptr : "", text.len);
}
