// Arguments of bindings: checks that raise in the words of the reference. A field of
// an options table that is absent has its default; one of a wrong type raises and
// names `what`: "publish: key must be a string, got table".
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

// Raises when the table at `index` has a key that is not among the
// NULL-terminated names: "<what>: unknown option \"x\"". A list has none:
// "<what>: options are name = value (got [1])".
void args_check_options(lua_State *L, int index, const char *const *names, const char *what);

// The string field `name` of the table at `index`; .ptr NULL when it is nil. The
// value stays on the stack, which keeps the slice alive.
struct slice args_opt_slice_field(lua_State *L, int index, const char *name, const char *what);

// The number field `name` of the table at `index`: from least to most (whole
// numbers), `otherwise` when it is nil. Raises for anything else:
// "<what>: retry must be a number from 0 to 5 (got -1)".
double args_opt_number_field(lua_State *L, int index, const char *name, const char *what,
                             double least, double most, double otherwise);

// Whether the field `name` of the table at `index` is true in the sense of Lua.
bool args_opt_flag_field(lua_State *L, int index, const char *name, bool otherwise);

#endif
