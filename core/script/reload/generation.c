// Generations: see generation.h.
#include "script/reload/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "script/reload/bundle.h"
#include "script/vm/task.h"

// ---- reading what the scripts registered ---------------------------------

static void read_listing(lua_State *L, struct generation *generation, int result) {
  lua_getfield(L, result, "routes");
  luaL_checktype(L, -1, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, -1);
  generation->http_route_count = count;
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    static const char *const fields[] = {"method", "pattern", "source"};
    const char *text[3];
    for (int f = 0; f < 3; f++) {
      lua_getfield(L, -1 - f, fields[f]);
      text[f] = lua_tostring(L, -1) != NULL ? lua_tostring(L, -1) : "";
    }
    buf_printf(&generation->listing, "%-7s %-32s %s\n", text[0], text[1], text[2]);
    lua_pop(L, 4);
  }
  lua_pop(L, 1);
}

// ---- loading -------------------------------------------------------------

// The next chunk to be loaded in a step of its own, NULL when none is left:
// the framework's modules (but for the two that only tie it together), so that
// no single step has them all, then the scripts.
static const struct chunk *next_chunk(struct generation *generation) {
  const struct bundle *bundle = generation->bundle;
  while (generation->next_step < 2 * bundle->count) {
    size_t step = generation->next_step++;
    bool is_script_pass = step >= bundle->count;
    const struct chunk *chunk = &bundle->chunks[step % bundle->count];
    bool is_framework = strncmp(chunk->module, "tidegate.", 9) == 0 && !chunk->is_script &&
                        strcmp(chunk->module, "tidegate.app") != 0;
    if (is_script_pass ? chunk->is_script : is_framework) return chunk;
  }
  return NULL;
}

static void take_result(lua_State *L, struct generation *generation) {
  const struct chunk *app = bundle_find(generation->bundle, "tidegate.app");
  if (app == NULL) {
    luaL_error(L, "the framework has no module \"tidegate.app\"");
    return;
  }
  environment_push_module(L, &generation->environment, app);
  lua_getfield(L, -1, "finish");
  lua_call(L, 0, 1);
  int result = lua_gettop(L);
  lua_getfield(L, result, "dispatch");
  generation->dispatch_ref = vm_ref(L);
  lua_getfield(L, result, "session_routes");
  routes_read(L, &generation->routes);
  lua_pop(L, 1);
  read_listing(L, generation, result);
  generation->is_loaded = true;
}

// Runs inside a task: function(generation as light userdata).
static int run_step(lua_State *L) {
  struct generation *generation = lua_touserdata(L, 1);
  if (generation->environment.env_ref == LUA_NOREF)
    environment_open(L, &generation->environment, generation, generation->bundle,
                     generation->number);
  const struct chunk *chunk = next_chunk(generation);
  generation->vm->loading_path = chunk != NULL ? chunk->path : NULL;
  if (chunk != NULL)
    environment_push_module(L, &generation->environment, chunk);
  else
    take_result(L, generation);
  return 0;
}

struct step {
  struct generation *generation;
  bool ok;
  char *error;
};

static void on_step_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm, (void)task;
  struct step *step = owner;
  step->ok = ok;
  if (!ok) step->error = mem_strdup(error);
}

static const struct task_owner step_owner = {.ended = on_step_ended, .is_quiet = true};

static int push_step(lua_State *L, void *generation) {
  lua_pushcfunction(L, run_step);
  lua_pushlightuserdata(L, generation);
  return 1;
}

// ---- life ----------------------------------------------------------------

static void make_states(struct generation *generation) {
  size_t count = 0;
  while (generation->vm->modules[count] != NULL) count++;
  generation->states = mem_zalloc((count + 1) * sizeof *generation->states);
  for (size_t i = 0; i < count; i++) {
    const struct script_module *module = generation->vm->modules[i];
    size_t bytes = module->generation_state_bytes;
    if (bytes > 0) generation->states[i] = mem_zalloc(bytes);
    if (module->declare != NULL) module->declare(generation);
  }
}

static void free_states(struct generation *generation) {
  for (size_t i = 0; generation->vm->modules[i] != NULL; i++) {
    const struct script_module *module = generation->vm->modules[i];
    if (module->forget != NULL) module->forget(generation);
    free(generation->states[i]);
  }
  free(generation->states);
}

struct generation *generation_begin(struct vm *vm, struct bundle *bundle, unsigned number) {
  struct generation *generation = mem_zalloc(sizeof *generation);
  generation->vm = vm;
  generation->bundle = bundle_ref(bundle);
  generation->number = number;
  generation->environment.env_ref = generation->environment.cache_ref = LUA_NOREF;
  generation->dispatch_ref = LUA_NOREF;
  make_states(generation);
  return generation;
}

// The reason with its file, where no script was on the stack, and with the limit that a lack of
// memory met.
static char *name_failure(const struct generation *generation, const char *reason) {
  const struct vm *vm = generation->vm;
  const char *failed_at = generation->environment.failed_at;
  static const char lack[] = "not enough memory";
  if (reason == NULL) reason = lack;
  const char *colon = strchr(reason, ':'), *end = strstr(reason, lack);
  bool has_place = colon != NULL && strspn(colon + 1, "0123456789") > 0;
  bool is_lack = end != NULL && strcmp(end, lack) == 0;  // runs no message handler
  const char *path = failed_at[0] != '\0' && !is_lack ? failed_at : vm->loading_path;
  bool needs_path = !has_place && path != NULL;
  char *limit = is_lack ? mem_format(" to load: vm_memory is %zu bytes", vm->memory_max_bytes)
                        : mem_strdup("");
  char *text =
      mem_format("%s%s%s%s", needs_path ? path : "", needs_path ? ": " : "", reason, limit);
  free(limit);
  return text;
}

enum generation_progress generation_step(struct generation *generation, char **error) {
  struct vm *vm = generation->vm;
  struct step step = {generation, false, NULL};
  generation->environment.failed_at[0] = '\0';
  generation->environment.failed_with = NULL;
  vm->loading = generation;
  vm->loads_first = vm->live == NULL;
  struct task *task = task_new(vm, &step_owner, &step);
  if (task != NULL) task_start(task, push_step, generation);
  vm->loading = NULL;
  vm->loads_first = false;
  if (!step.ok) *error = name_failure(generation, step.error);
  free(step.error);
  vm->loading_path = NULL;
  if (!step.ok) return GENERATION_FAILED;
  return generation->is_loaded ? GENERATION_READY : GENERATION_MORE;
}

struct generation *generation_load(struct vm *vm, struct bundle *bundle, unsigned number,
                                   char **error) {
  struct generation *generation = generation_begin(vm, bundle, number);
  for (;;) {
    switch (generation_step(generation, error)) {
      case GENERATION_MORE:
        continue;
      case GENERATION_READY:
        return generation;
      case GENERATION_FAILED:
        generation_free(generation);
        return NULL;
    }
  }
}

void generation_free(struct generation *generation) {
  if (generation == NULL) return;
  struct vm *vm = generation->vm;
  free_states(generation);
  routes_free(vm, &generation->routes);
  vm_unref(vm, generation->dispatch_ref);
  environment_close(vm, &generation->environment);
  bundle_unref(generation->bundle);
  buf_free(&generation->listing);
  free(generation);
}

void generation_switch(struct vm *vm, struct generation *generation) {
  struct generation *before = vm->live;
  vm->live = generation;
  for (struct script_module *const *m = vm->modules; *m != NULL; m++) {
    if ((*m)->switch_to != NULL) (*m)->switch_to(vm, before, generation);
  }
  generation_free(before);
}

static void stop(struct vm *vm) {
  generation_free(vm->live);
  vm->live = NULL;
}

struct script_module generation_module = {.name = "generation", .stop = stop};
