// A server with scripts, without threads and peers: what scripts do is asked of their VM.
#ifndef TIDEGATE_TESTS_FAKE_GATE_H
#define TIDEGATE_TESTS_FAKE_GATE_H

#include <lauxlib.h>
#include <lua.h>

#include "net/fake_server.h"
#include "script/bind/modules.h"
#include "script/reload/bundle.h"
#include "script/reload/generation.h"
#include "script/scripts.h"
#include "script/serve/app.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

// What every script begins with. `note` collects what happened, for gate_notes.
#define GATE_PRELUDE                                            \
  "local gate = require 'tidegate'\n"                           \
  "local function note(...)\n"                                  \
  "  local words = table.pack(...)\n"                           \
  "  for i = 1, words.n do words[i] = tostring(words[i]) end\n" \
  "  local notes = gate.keep('notes')\n"                        \
  "  notes[#notes + 1] = table.concat(words, ' ')\n"            \
  "end\n"

static struct script_start gate_start;

static inline void gate_write(const char *text) {
  char *whole = mem_format("%s%s", GATE_PRELUDE, text);
  scripts_write("main.lua", whole);
  free(whole);
}

// After fake_server_configure, of the scripts in the folder. The error, NULL when it runs.
static inline char *gate_try_start(void) {
  char *error = NULL;
  gate_start = (struct script_start){.dir = scripts_dir, .modules = script_modules};
  gate_start.bundle = bundle_load(scripts_dir, NULL, &error);
  if (error != NULL) fail_msg("%s", error);
  struct app app = script_app(&gate_start);
  bool ok = fake_server_start(&app);
  bundle_unref(gate_start.bundle);
  if (!ok && gate_start.error == NULL) fail_msg("the server does not start");
  return gate_start.error;
}

static inline void gate_open(const char *script) {
  scripts_open();
  gate_write(script);
  fake_log_clear();
  fake_server_configure();
  char *error = gate_try_start();
  if (error != NULL) fail_msg("%s", error);
  fake_turns();
}

static inline void gate_close(void) {
  fake_server_stop();
  scripts_close();
}

static inline struct vm *gate_vm(void) { return worker_app(fake.worker); }

// Loads what is in the folder now as the next generation: NULL, or the error.
static inline char *gate_reload(void) {
  char *error = NULL;
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  if (bundle == NULL) return error;
  struct vm *vm = gate_vm();
  struct generation *next = generation_load(vm, bundle, vm->live->number + 1, &error);
  bundle_unref(bundle);
  if (next != NULL) generation_switch(vm, next);
  return error;
}

static inline void gate_reload_with(const char *script) {
  gate_write(script);
  char *error = gate_reload();
  if (error != NULL) fail_msg("%s", error);
  fake_turns();
}

// ---- what scripts noted ------------------------------------------------------

static struct buf gate_noted;

static inline int gate_take_notes(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "tidegate.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "keep");
  lua_pushliteral(L, "notes");
  lua_call(L, 1, 1);
  lua_Integer count = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, -1, i);
    buf_printf(&gate_noted, "%s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_seti(L, -2, i);
  }
  return 0;
}

// What was noted since the last call, a line each.
static inline const char *gate_notes(void) {
  buf_clear(&gate_noted);
  assert_true(vm_enter(gate_vm(), gate_take_notes, NULL, "notes"));
  buf_append_char(&gate_noted, '\0');
  return gate_noted.data;
}

static inline void expect_notes(const char *expected) {
  const char *notes = gate_notes();
  if (strcmp(notes, expected) != 0)
    fail_msg("noted\n%sexpected\n%slog\n%s", notes, expected, fake_log_text);
}

// ---- tests ---------------------------------------------------------------------

static inline int gate_teardown(void **state) {
  (void)state;
  gate_close();
  buf_free(&gate_noted);
  return 0;
}

#define gate_test(name) cmocka_unit_test_teardown(name, gate_teardown)

#endif
