// Arguments about topics, which the hub's functions and joins have in common.
#ifndef TIDEGATE_SCRIPT_BIND_TOPIC_H
#define TIDEGATE_SCRIPT_BIND_TOPIC_H

#include <lua.h>

#include "base/slice.h"
#include "hub/hub.h"
#include "script/vm/options.h"

// What topics, patterns and members are called, for messages.
#define TOPIC_NAME_RULE "must be 1 to 255 bytes of UTF-8 without control characters"

// Returns nil, message, code for what the hub refused.
int topic_fail(lua_State *L, enum hub_status status);

// The pattern at `arg`, while scripts load: it stands in the script, so a bad one raises.
struct slice topic_check_pattern(lua_State *L, int arg);

// The option `since` on top of the stack: *id is set for HUB_SINCE_ID. Raises, naming
// `what`, when it is no string.
enum hub_since topic_check_since(lua_State *L, const char *what, struct slice *id);

// What the option `lag` may be.
extern const struct option_choice topic_lags[];

#endif
