// What the scripts of one generation run in: an environment of their own, with a cache
// of modules and the `require` that fills it.
#ifndef TIDEGATE_SCRIPT_RELOAD_ENVIRONMENT_H
#define TIDEGATE_SCRIPT_RELOAD_ENVIRONMENT_H

#include <lua.h>

#include "script/vm/place.h"
#include "script/vm/vm.h"

struct bundle;
struct chunk;
struct generation;

struct environment {
  const struct generation *generation;  // whose it is
  const struct bundle *bundle;          // borrowed from it
  unsigned number;                      // of it
  int env_ref, cache_ref;               // LUA_NOREF at first
  char failed_at[PLACE_BYTES];          // where a module failed last, or ""
  const void *failed_with;              // that error, to compare with
};

// Makes the tables. May raise; environment_close then frees what there is.
void environment_open(lua_State *L, struct environment *environment,
                      const struct generation *generation, const struct bundle *bundle,
                      unsigned number);
void environment_close(struct vm *vm, struct environment *environment);

// Pushes the module's value, from the cache or by running its chunk. Raises what that raises.
void environment_push_module(lua_State *L, struct environment *environment,
                             const struct chunk *chunk);

#endif
