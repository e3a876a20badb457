// Scripts that call everything public with anything, from handlers, finalizers, coroutines and
// whatever else Lua calls: api/app.lua runs the input as a program. Nothing may reach memory that
// is gone, and once the peers have left the server has no connection.
#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "base/log.h"
#include "count.h"
#include "fuzz.h"
#include "gate.h"
#include "net/worker.h"
#include "no_leaks.h"
#include "script/vm/vm.h"
#include "script/vm/watchdog.h"

enum { LONGEST_MS = 20000, RUN_TURNS = 8, MEMORY_STEP = 512, HANDLER_MS = 1000 };

void count_measure(void (*fn)(void *arg), void *arg) { fn(arg); }

void count_expect(bool is_true, const char *what) {
  if (!is_true) fail_msg("%s", what);
}

// ---- the methods there are -------------------------------------------------

// Appends the names of the table on top to the list at index 1, and pops it.
static void add_names(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
  }
  lua_pop(L, 1);
}

// Of every type of box: its __index is a table of methods, or a function that has one.
static void add_methods(lua_State *L, int metatable_ref) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, metatable_ref);
  int type = lua_getfield(L, -1, "__index");
  if (type == LUA_TFUNCTION) lua_getupvalue(L, -1, 1);
  if (lua_istable(L, -1)) add_names(L);
  lua_settop(L, 1);
}

static int keep_methods(lua_State *L) {
  struct vm *vm = vm_of(L);
  lua_settop(L, 0);
  lua_newtable(L);
  for (int i = 0; i < VM_TYPES_MAX && vm->types[i].metatable != NULL; i++)
    add_methods(L, vm->types[i].ref);
  assert_true(lua_rawlen(L, 1) > 10);
  lua_getglobal(L, "table");
  lua_getfield(L, -1, "sort");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tidegate.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "keep");
  lua_pushliteral(L, "methods");
  lua_pushvalue(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

static struct vm *start(void) {
  log_set_level(getenv("FUZZ_LOG") != NULL ? LOG_DEBUG : LOG_ERROR + 1);
  watchdog_start(HANDLER_MS);  // programs may loop: a finding is what it does not end
  gate_start("tests/fuzz/api");
  struct vm *vm = worker_app(gate_worker());
  assert_true(vm_enter(vm, keep_methods, NULL, "methods"));
  return vm;
}

// ---- a program -------------------------------------------------------------

static void turns(int client, int count) {
  char bytes[4096];
  for (int i = 0; i < count; i++) {
    gate_turn();
    while (recv(client, bytes, sizeof bytes, 0) > 0) continue;
  }
}

static void ask(const char *head, struct slice body) {
  struct buf request = {0};
  buf_printf(&request, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", head, body.len);
  buf_append_slice(&request, body);
  int client = gate_connect();
  gate_send(client, buf_slice(&request).ptr, buf_len(&request));
  turns(client, 4);
  gate_close(client);
  buf_free(&request);
}

#define UPGRADE                                                                      \
  " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"            \
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" \
  "\x81\x82\0\0\0\0hi" /* a text message, masked by zeros */

#define LITERAL(text) \
  { text, sizeof(text) - 1 }

static const struct slice openings[] = {
    LITERAL(
        "POST /run?a=b%20c&a=d HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nContent-Length: 2\r\n\r\n{}"),
    LITERAL("POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n[1"),
    LITERAL("GET /ws" UPGRADE),
    LITERAL("GET /task?q=1" UPGRADE),
    LITERAL("GET /sse HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 1-2\r\n\r\n"),
    LITERAL("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"),
};

static void run_program(struct vm *vm, struct slice opening, unsigned room) {
  size_t most = vm->memory_max_bytes;
  int client = gate_connect();
  gate_turn();
  if (room != 0)
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room * MEMORY_STEP;
  gate_send(client, opening.ptr, opening.len);
  turns(client, RUN_TURNS);
  gate_close(client);
  uint64_t until_ms = clock_mono_ms() + LONGEST_MS;  // a program may sleep now and then
  while (gate_conn_count() > 0) {
    assert_true(clock_mono_ms() < until_ms);
    gate_turn();
  }
  vm->memory_max_bytes = most;
}

// The first byte says how the program is reached, the second how much memory it may take.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct vm *vm;
  if (vm == NULL) vm = start();
  struct slice in = fuzz_input(data, size);
  uint8_t kind = fuzz_take_byte(&in), room = fuzz_take_byte(&in);
  ask("POST /program", in);
  run_program(vm, openings[kind % (sizeof openings / sizeof *openings)], room % 4 == 0 ? room : 0);
  ask("POST /end", (struct slice){0});
  return 0;
}
