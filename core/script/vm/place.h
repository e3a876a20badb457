// Where in a script something happened: errors name the script's line, never the framework's.
#ifndef TIDEGATE_SCRIPT_VM_PLACE_H
#define TIDEGATE_SCRIPT_VM_PLACE_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum { PLACE_BYTES = LUA_IDSIZE + 16 };

// Whether a chunk of this source is the framework's (or C): its name begins with '='.
bool place_is_framework(const char *source);

// The innermost line of a script in a coroutine that runs or has ended with an error, as
// "app.lua:7". False if no script is on its stack; `out` is "" then.
bool place_find(lua_State *co, char out[static PLACE_BYTES]);

// Appends "app.lua:7: " (`place`, as place_find gave it) for an error's text that has no place of
// its own (an error of level 0, or of a C function as table.sort), or one in the framework
// (error(text, 2) of a handler). Returns what of the text comes behind it.
struct slice place_append(struct buf *out, lua_State *co, const char *place, struct slice text);

#endif
