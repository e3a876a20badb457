// A generation: one loading of all scripts in one VM, with its own environment,
// module cache and routes, and with what it declared to each module of the server
// (timers, topic rules, taps). It is loaded beside the live one and then either
// takes over between two events or is dropped.
#ifndef TIDEGATE_SCRIPT_RELOAD_GENERATION_H
#define TIDEGATE_SCRIPT_RELOAD_GENERATION_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "script/reload/environment.h"
#include "script/reload/route.h"
#include "script/vm/vm.h"

struct bundle;

extern struct script_module generation_module;

struct generation {
  struct vm *vm;
  struct bundle *bundle;  // a reference
  unsigned number;
  struct environment environment;
  int dispatch_ref;      // function(req, res)
  struct routes routes;  // of sessions
  size_t http_route_count;
  void **states;     // of the modules, by their slot
  size_t next_step;  // of loading
  bool is_loaded;
  struct buf listing;  // one line per route, for --check
};

// Begins to load the bundle into a fresh environment. Each step then runs one
// script (or framework module); between steps the live generation may handle
// events, so that a reload never keeps a worker busy for long.
// GENERATION_FAILED: *error has file, line and reason (the caller frees it) and
// the generation is to be freed; the live one is untouched.
enum generation_progress { GENERATION_MORE, GENERATION_READY, GENERATION_FAILED };
struct generation *generation_begin(struct vm *vm, struct bundle *bundle, unsigned number);
enum generation_progress generation_step(struct generation *generation, char **error);

// All steps at once; NULL on failure.
struct generation *generation_load(struct vm *vm, struct bundle *bundle, unsigned number,
                                   char **error);

// Drops a generation that will not become live.
void generation_free(struct generation *generation);

// Makes it the live one, between two events: every module switches to it, then the
// one before is freed.
void generation_switch(struct vm *vm, struct generation *generation);

// The memory that a module has in each generation.
static inline void *generation_state(const struct generation *generation,
                                     const struct script_module *module) {
  return generation->states[module->slot];
}

#endif
