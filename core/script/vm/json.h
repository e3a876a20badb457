// JSON of Lua values: what bindings call. vm/json_read and vm/json_write do it.
#ifndef TIDEGATE_SCRIPT_VM_JSON_H
#define TIDEGATE_SCRIPT_VM_JSON_H

#include <lua.h>
#include <stdbool.h>

#include "base/slice.h"

// In a new state, before anything else here. Pushes the value that stands for null.
void json_open(lua_State *L);

// Marks the table on top of the stack as an array: empty it is [], and it may have no key
// but 1, 2, 3 and so on. json_decode marks the arrays it makes.
void json_mark_array(lua_State *L);
bool json_is_array(lua_State *L);  // whether the table on top is marked

// Pushes the JSON text of the value at `index`, or the reason why there is none. The
// text may not be UTF-8 yet, where strings in the value are not: who sends it checks.
bool json_try_encode(lua_State *L, int index);
// The same, but raises, naming `what`: "<what> has no JSON form: ...".
void json_encode(lua_State *L, int index, const char *what);

// Decodes the JSON text, which must outlive the call: pushes the value, or nil, message,
// "json". Returns how many values were pushed. Raises when memory runs out.
int json_decode(lua_State *L, struct slice text);

#endif
