// What scripts are told of a message beside its payload.
#ifndef TIDEGATE_SCRIPT_SERVE_MESSAGE_INFO_H
#define TIDEGATE_SCRIPT_SERVE_MESSAGE_INFO_H

#include <lua.h>

#include "base/message.h"
#include "script/vm/module.h"

struct hub;

extern struct script_module message_info_module;

// Pushes "text" or "binary". Cannot fail: both strings are kept.
void message_info_push_kind(lua_State *L, enum message_kind kind);

// Pushes {id, kind, event, key}.
void message_info_push(lua_State *L, const struct hub *hub, const struct message *m);

#endif
