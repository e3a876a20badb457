// Where in a script something happened: errors name the script's line, never the framework's.
#ifndef TIDEGATE_SCRIPT_VM_PLACE_H
#define TIDEGATE_SCRIPT_VM_PLACE_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum { PLACE_BYTES = LUA_IDSIZE + 16 };

// The names of the framework's chunks begin with '=', as that of C, and those of scripts do not
// (reload/bundle, reload/library).

// The innermost line of a script in a coroutine that runs or has ended with an error, as
// "app.lua:7". False if no script is among the 100 innermost levels; `out` is "" then.
bool place_find(lua_State *co, char out[static PLACE_BYTES]);

// Appends "app.lua:7: " (`place`, as place_find gave it) for an error's text that has no place of
// its own (an error of level 0, or of a C function as table.sort), or one in the framework
// (error(text, 2) of a handler). Returns what of the text comes behind it.
struct slice place_append(struct buf *out, lua_State *co, const char *place, struct slice text);

#endif
