// Lua in a VM of its own, without a server: what tests of core/script/vm begin with.
#ifndef TIDEGATE_TESTS_SCRIPT_FIXTURE_H
#define TIDEGATE_TESTS_SCRIPT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "base/log.h"
#include "net/worker.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

enum { FIXTURE_MEMORY = 4 * 1024 * 1024 };

static char noted[256];  // what scripts said with note(...), each followed by a space

static int fixture_note(lua_State *L) {
  int count = lua_gettop(L);
  for (int i = 1; i <= count; i++) {
    size_t len = strlen(noted);
    snprintf(noted + len, sizeof noted - len, "%s ", luaL_tolstring(L, i, NULL));
  }
  return 0;
}

static inline struct vm *fixture_vm(struct script_module *const *modules) {
  noted[0] = '\0';
  log_set_level(LOG_ERROR + 1);
  static struct worker worker;  // for its clock
  struct vm *vm = vm_new(&worker, ".", FIXTURE_MEMORY, modules);
  assert_non_null(vm);
  lua_register(vm->L, "note", fixture_note);
  return vm;
}

static int fixture_push(lua_State *L, void *code) {
  if (luaL_loadstring(L, code) != LUA_OK) lua_error(L);
  return 0;
}

// How the tasks of scripts ended.
struct fixture_ends {
  int ok, failed;
  char error[512];
};

static void fixture_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task;
  struct fixture_ends *ends = owner;
  if (ok)
    ends->ok++;
  else
    ends->failed++;
  snprintf(ends->error, sizeof ends->error, "%s", error);
}

static const struct task_owner fixture_owner = {.ended = fixture_ended, .is_quiet = true};

// Runs the code in a task, until it waits or ends.
static inline struct task *fixture_run(struct vm *vm, struct fixture_ends *ends, const char *code) {
  struct task *task = task_new(vm, &fixture_owner, ends);
  assert_non_null(task);
  task_start(task, fixture_push, (void *)code);
  return task;
}

#endif
