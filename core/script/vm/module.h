// A module: a part of the Lua side with a life of its own, in one file. What the
// VM and its generations go through (a new state, loading, going live, the end)
// they tell every module of one table, bind/modules.c, in its order; so nothing
// here knows any of them by name. A generation is of the row above (reload/): this row
// hands it on and never looks into it.
#ifndef TIDEGATE_SCRIPT_VM_MODULE_H
#define TIDEGATE_SCRIPT_VM_MODULE_H

#include <lua.h>
#include <stddef.h>

struct generation;
struct vm;

// All but the name may be NULL or 0.
struct script_module {
  const char *name;

  // In a new state: adds functions to the table of "tidegate.core", which is on
  // top of the stack, and registers metatables. May raise.
  void (*open)(lua_State *L);

  // A generation begins to load, and is dropped or replaced: what scripts declare
  // meanwhile is kept in generation_state, for the one, and freed in the other.
  void (*declare)(struct generation *generation);
  void (*forget)(struct generation *generation);

  // `next` has become vm->live, between two events; the one before (NULL at the
  // start) is forgotten when all modules have switched.
  void (*switch_to)(struct vm *vm, struct generation *before, struct generation *next);

  // The VM ends. Lua can still be called.
  void (*stop)(struct vm *vm);

  // Sizes of vm_state and generation_state, zeroed at first.
  size_t vm_state_bytes, generation_state_bytes;

  // Where these are found: the place in the table. Written by vm_new, the same in
  // every VM.
  unsigned slot;
};

#endif
