// The libraries of one generation: copies of the standard ones and of `tidegate.core`, so that
// what a script changes in them ends with its generation.
#ifndef TIDEGATE_SCRIPT_RELOAD_LIBRARY_H
#define TIDEGATE_SCRIPT_RELOAD_LIBRARY_H

#include <lua.h>

// Pushes a new table of global variables: all but `require` and package.loaded. What it loads from
// text (load, loadfile, dofile) has the same globals.
void library_push_globals(lua_State *L);

// Replaces the table on top of the stack, and the tables in it, by copies.
void library_copy_deep(lua_State *L);

// Pushes what package.preload of the globals at `index` has for the name, and its type.
int library_push_preload(lua_State *L, int globals, const char *name);

#endif
