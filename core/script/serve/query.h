// Query strings and forms as tables, decoded by the rules of forms (proto/url.h).
#ifndef TIDEGATE_SCRIPT_SERVE_QUERY_H
#define TIDEGATE_SCRIPT_SERVE_QUERY_H

#include <lua.h>

#include "base/slice.h"

// Pushes the table of "a=1&b=2"; of a repeated name the first value counts.
void query_push_pairs(lua_State *L, struct slice text);

// Pushes the array of all values of the name at index `name`, in order. Where that is nil
// or none: the table of all names, each with its array. Raises for a name that is no string.
void query_push_all(lua_State *L, struct slice text, int name);

#endif
