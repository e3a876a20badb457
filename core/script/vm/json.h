// JSON of Lua values, through lua-cjson.
#ifndef TIDEGATE_SCRIPT_VM_JSON_H
#define TIDEGATE_SCRIPT_VM_JSON_H

#include <lua.h>
#include <stdbool.h>

// In a new state, before anything else here. Pushes the value that stands for null.
void json_open(lua_State *L);

// Pushes the JSON text of the value at `index`, or the reason why there is none. The
// text may not be UTF-8 yet, where strings in the value are not: who sends it checks.
bool json_try_encode(lua_State *L, int index);
// The same, but raises, naming `what`: "<what> has no JSON form: ...".
void json_encode(lua_State *L, int index, const char *what);

// Decodes the JSON text at `index`: pushes the value, or nil, message, "json".
// Returns how many values were pushed. Raises when memory runs out.
int json_decode(lua_State *L, int index);

#endif
