// A VM with tasks and boxes and nothing else of the server, and functions for scripts that
// wait and are woken by the test.
#ifndef TIDEGATE_TESTS_TASK_MODULE_H
#define TIDEGATE_TESTS_TASK_MODULE_H

#include <lauxlib.h>
#include <lua.h>

#include "net/fake_app.h"
#include "script/vm/args.h"
#include "script/vm/box.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

enum { VM_BYTES = 16 << 20 };

static struct vm *vm;
static struct list waiters;
static struct buf notes;

static inline int lua_note(lua_State *L) {
  for (int i = 1, count = lua_gettop(L); i <= count; i++) {
    size_t len;
    const char *text = luaL_tolstring(L, i, &len);
    if (i > 1) buf_append_char(&notes, ' ');
    buf_append(&notes, text, len);
  }
  buf_append_char(&notes, '\n');
  return 0;
}

// wait([seconds]): until the test wakes it.
static inline int lua_wait(lua_State *L) {
  return task_wait_in(L, &waiters, args_opt_seconds(L, 1), NULL);
}

static inline int join_results(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  lua_pushliteral(L, "then");
  lua_insert(L, 1);
  return lua_gettop(L);
}

// wait_then(): its results have "then" in front of them.
static inline int lua_wait_then(lua_State *L) {
  lua_settop(L, 0);
  return task_wait_in(L, &waiters, -1, join_results);
}

static inline void open_test_module(lua_State *L) {
  list_init(&waiters);
  lua_pushcfunction(L, lua_note);
  lua_setglobal(L, "note");
  lua_pushcfunction(L, lua_wait);
  lua_setglobal(L, "wait");
  lua_pushcfunction(L, lua_wait_then);
  lua_setglobal(L, "wait_then");
}

static struct script_module test_module = {.name = "test", .open = open_test_module};

static struct script_module *const test_modules[] = {&box_module, &test_module, &task_module, NULL};

static inline int open_vm(void **state) {
  int failed = fake_app_open(state);
  vm = vm_new(fake.worker, ".", VM_BYTES, test_modules);
  return failed || vm == NULL;
}

static inline int close_vm(void **state) {
  vm_free(vm);
  buf_free(&notes);
  return fake_app_close(state);
}

#define vm_test(name) cmocka_unit_test_setup_teardown(name, open_vm, close_vm)

// All that was noted since the last call.
#define expect_noted(expected)                               \
  do {                                                       \
    buf_append_char(&notes, '\0');                           \
    assert_string_equal(notes.data + notes.start, expected); \
    buf_clear(&notes);                                       \
  } while (0)

// ---- tasks -----------------------------------------------------------------------

// What a test task came to.
struct outcome {
  unsigned ended;
  bool ok;
  char error[256];
};

static inline void on_outcome(struct vm *of, struct task *task, void *owner, bool ok,
                              const char *error) {
  (void)of, (void)task;
  struct outcome *outcome = owner;
  outcome->ended++;
  outcome->ok = ok;
  snprintf(outcome->error, sizeof outcome->error, "%s", error);
}

static inline void describe_outcome(void *owner, char *out, size_t size) {
  (void)owner;
  snprintf(out, size, "owner=test");
}

static const struct task_owner outcome_owner = {.ended = on_outcome, .describe = describe_outcome};

static inline int push_text(lua_State *L, void *text) {
  if (luaL_loadbufferx(L, text, strlen(text), "@test", "t") != LUA_OK) lua_error(L);
  return 0;
}

// Runs the Lua text as a task: NULL when it could not be made.
static inline struct task *start_task(struct outcome *outcome, const char *text) {
  *outcome = (struct outcome){0};
  struct task *task = task_new(vm, &outcome_owner, outcome);
  if (task != NULL) task_start(task, push_text, (void *)text);
  return task;
}

// One that ends at once.
static inline struct outcome run_task(const char *text) {
  struct outcome outcome;
  start_task(&outcome, text);
  assert_int_equal(outcome.ended, 1);
  return outcome;
}

#endif
