// Lua values as JSON text. Tables are read raw and no memory is taken from Lua, so that no
// code of a script runs meanwhile.
#ifndef TIDEGATE_SCRIPT_VM_JSON_WRITE_H
#define TIDEGATE_SCRIPT_VM_JSON_WRITE_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"

// Appends the text of the value at `index` to out. Or pushes the reason why there is none
// and returns false, with part of the text appended. `list` is the metatable of arrays. The
// text gets `most` bytes at most. May raise.
bool json_write(lua_State *L, int index, const void *list, size_t most, struct buf *out);

#endif
