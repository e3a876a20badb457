// JSON text as Lua values (RFC 8259), pushed as they are read: there is no tree between, so
// nothing is held outside Lua that an error could leak.
#ifndef TIDEGATE_SCRIPT_VM_JSON_READ_H
#define TIDEGATE_SCRIPT_VM_JSON_READ_H

#include <lua.h>
#include <stdbool.h>

#include "base/slice.h"

// Pushes the value, or the reason why there is none, and returns false. `list` is the index
// of the metatable of arrays. Raises when memory runs out. The bytes must outlive the call.
bool json_read(lua_State *L, struct slice text, int list);

#endif
