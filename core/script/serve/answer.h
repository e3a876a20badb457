// What a handler's return values mean as a response (lua/README.md).
#ifndef TIDEGATE_SCRIPT_SERVE_ANSWER_H
#define TIDEGATE_SCRIPT_SERVE_ANSWER_H

#include <lua.h>

struct exchange;

// Answers the exchange, whose request has not ended, with the three values at `first`
// (nil where there are fewer): body, or status [, body [, headers]]. A response that
// has started is ended. Raises when the values mean none.
void answer_send(lua_State *L, struct exchange *exchange, int first);

// Adds {name = value | {values}} at `index` to the response's headers. Raises.
void answer_add_headers(lua_State *L, struct exchange *exchange, int index);

#endif
