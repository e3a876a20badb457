// Query strings and forms as tables.
#ifndef TIDEGATE_SCRIPT_SERVE_QUERY_H
#define TIDEGATE_SCRIPT_SERVE_QUERY_H

#include <lua.h>
#include <stdbool.h>

#include "base/slice.h"

// Pushes the text without percent codes; as it is when a code is wrong.
void query_push_decoded(lua_State *L, struct slice text, bool plus_is_space);

// Pushes the table of "a=1&b=2"; of a repeated name the first value counts.
void query_push_pairs(lua_State *L, struct slice text);

#endif
