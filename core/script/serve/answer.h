// What a handler's return values mean as a response (lua/doc/routes.md).
#ifndef TIDEGATE_SCRIPT_SERVE_ANSWER_H
#define TIDEGATE_SCRIPT_SERVE_ANSWER_H

#include <lua.h>

struct exchange;

// They raise when the values mean no answer. The error names where the function at index
// `origin` begins, which returned them: "app.lua:3: this handler returned true; ...". nil there:
// no position.

// Answers the exchange, whose request has not ended, with the three values at `first`
// (nil where there are fewer): body, or status [, body [, headers]]. A response that
// has started is ended, and the log says what is dropped.
void answer_send(lua_State *L, struct exchange *exchange, int first, int origin);

// Raises an error that opens with that place; the format is that of lua_pushfstring.
int answer_fail(lua_State *L, int origin, const char *format, ...);

// Adds {name = value | {values}} at `index` to the response's headers.
void answer_add_headers(lua_State *L, struct exchange *exchange, int index, int origin);

// Logs that the values cannot be sent any more, since the response has started or ended; not for
// what a call that fails or a `return res:finish()` leaves.
void answer_warn_dropped(lua_State *L, const struct exchange *exchange, int first, int origin);

#endif
