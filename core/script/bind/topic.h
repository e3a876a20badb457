// Arguments about topics, which the hub's functions and joins have in common.
#ifndef TIDEGATE_SCRIPT_BIND_TOPIC_H
#define TIDEGATE_SCRIPT_BIND_TOPIC_H

#include <lua.h>

#include "base/slice.h"
#include "hub/hub.h"

// What topics, patterns and members are called, for messages.
#define TOPIC_NAME_RULE "must be 1 to 255 bytes of UTF-8 without control characters"

// The pattern at `arg`, while scripts load: it stands in the script, so a bad one raises.
struct slice topic_check_pattern(lua_State *L, int arg);

// The option `since` of the table at `index`: *id is set for HUB_SINCE_ID. The
// value stays on the stack. Raises, naming `what`, when it is no string.
enum hub_since topic_check_since(lua_State *L, int index, const char *what, struct slice *id);

// The option `lag` of the table at `index`, as above.
enum hub_lag topic_check_lag(lua_State *L, int index, const char *what);

#endif
