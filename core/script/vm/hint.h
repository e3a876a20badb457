// Hints: what a script that failed may have meant. Lua's own messages name a value that is
// nil; they do not know that a method of that name is nearly there.
#ifndef TIDEGATE_SCRIPT_VM_HINT_H
#define TIDEGATE_SCRIPT_VM_HINT_H

#include <lua.h>

// Adds a hint to the error message on top of the stack, where one fits:
//   "attempt to call a nil value (method 'sned')": "; did you mean ws:send?"
// Leaves all others as they are. Raises when memory is short.
void hint_add(lua_State *L);

// Pushes the methods of all objects as an array of "ws:send", for the tests of the types and of
// the reference.
void hint_push_methods(lua_State *L);

// Remembers that a script read the name at index `name`, a field of a table of functions that
// lacks it, and what it may have meant, at index `meant`; nil: nothing is near. The latest
// one counts. Until an error says so, nothing is wrong: it may look for what a later version has.
void hint_note_miss(lua_State *L, int name, int meant);

#endif
