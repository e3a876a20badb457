// Arguments of bindings: checks that raise in the words of the reference. What is in a
// table of options is for options.h.
#ifndef TIDEGATE_SCRIPT_VM_ARGS_H
#define TIDEGATE_SCRIPT_VM_ARGS_H

#include <lua.h>
#include <stdbool.h>

#include "base/message.h"
#include "base/slice.h"

// The string (or number) at `arg`.
struct slice args_check_slice(lua_State *L, int arg);
// The string at `arg`: a number in its place is a mistake.
struct slice args_check_string(lua_State *L, int arg);

// A payload argument: a string as it is, a table as JSON (pushed on the stack
// to keep it alive, in place of the argument). Raises for other types, numbers
// among them, and for tables that have no JSON form, naming `what`: "send: data".
struct slice args_check_payload(lua_State *L, int arg, const char *what);

// "text" (also nil) or "binary"; raises for anything else, naming `what`.
enum message_kind args_check_kind(lua_State *L, int index, const char *what);

// The optional argument `arg`, seconds to wait at most: negative when it is
// absent, which means for ever. Raises for anything but a number from 0 on.
double args_opt_seconds(lua_State *L, int arg);

#endif
