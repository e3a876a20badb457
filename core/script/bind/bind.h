// Bindings: one file and one luaL_Reg table per Lua module. A binding checks its
// arguments, calls a public function of net/ or hub/, and pushes the result.
#ifndef TIDEGATE_SCRIPT_BIND_BIND_H
#define TIDEGATE_SCRIPT_BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#include "base/message.h"
#include "base/slice.h"
#include "hub/hub.h"
#include "script/vm/vm.h"

// Opens everything in a new state: the module "tidegate.core", the metatables
// of request, response, WebSocket, stream and timer, and the changes to the
// standard library.
void bind_open(lua_State *L);

// Each adds its functions to the module table on top of the stack and
// registers its metatables.
void bind_open_req(lua_State *L);
void bind_open_res(lua_State *L);
void bind_open_answer(lua_State *L);
void bind_open_ws(lua_State *L);
void bind_open_stream(lua_State *L);
void bind_open_hub(lua_State *L);
void bind_open_time(lua_State *L);
void bind_open_system(lua_State *L);
void bind_open_json(lua_State *L);
void bind_open_crypto(lua_State *L);

// ---- shared by bindings --------------------------------------------------

// Pushes the JSON text of the value at `index`; raises when it has none, naming
// `what`: "<what> has no JSON form: ...". It may not be UTF-8 yet, where strings in
// the value are not: who sends it checks.
void bind_push_json(lua_State *L, int index, const char *what);

// Decodes the JSON text at `index`: pushes the value, or nil, message, "json".
// Returns how many values were pushed. Raises when memory runs out.
int bind_decode_json(lua_State *L, int index);

// Pushes the table of "a=1&b=2"; of a repeated name the first value counts.
void bind_push_pairs(lua_State *L, struct slice text);

// Pushes the `params` of the request at index 1: nil when nobody has set or read them.
void bind_push_params(lua_State *L);

// Reads into the request object at index 1 what is to stay of it after the answer.
struct exchange;
void bind_remember_request(lua_State *L, struct exchange *exchange);

// What topics, patterns and members are called, for messages.
#define BIND_NAME_RULE "must be 1 to 255 bytes of UTF-8 without control characters"

// The topic or pattern at `arg`, valid or not. Raises for other types: a number
// in its place is a mistake.
struct slice bind_check_topic(lua_State *L, int arg);

// A payload argument: a string as it is, a table as JSON (pushed on the stack
// to keep it alive, in place of the argument). Raises for other types, numbers
// among them, and for tables that have no JSON form, naming `what`: "send: data".
struct slice bind_check_payload(lua_State *L, int arg, const char *what);

// The number field `name` of the table at `index`: from least to most (whole
// numbers), `otherwise` when it is nil. Raises for anything else, naming `what`:
// "<what>: retry must be a number from 0 to 5 (got -1)".
double bind_opt_number_field(lua_State *L, int index, const char *name, const char *what,
                             double least, double most, double otherwise);

// The option `since` of the table at `index`: *id is set for HUB_SINCE_ID. The
// value stays on the stack. Raises, naming `what`, when it is no string.
enum hub_since bind_check_since(lua_State *L, int index, const char *what, struct slice *id);

// The option `lag` of the table at `index`, as above.
enum hub_lag bind_check_lag(lua_State *L, int index, const char *what);

// Pushes {id, kind, event, key}: what scripts are told of a message beside its payload.
void bind_push_message_info(lua_State *L, const struct hub *hub, const struct message *m);

void bind_push_kind(lua_State *L, enum message_kind kind);

// "text" (also nil) or "binary"; raises for anything else, naming `what`.
enum message_kind bind_check_kind(lua_State *L, int index, const char *what);

// Raises when the table at `index` has a key that is not among the
// NULL-terminated names: "<what>: unknown option \"x\"". A list has none:
// "<what>: options are name = value (got [1])".
void bind_check_options(lua_State *L, int index, const char *const *names, const char *what);

// Pushes `bytes` of zeroed memory and has `release` called on it once: by
// bind_release, or when Lua lets go of it. For what C owns while Lua may raise.
void *bind_push_owned(lua_State *L, size_t bytes, void (*release)(void *memory));
void bind_release(lua_State *L, int index);

// The metatable of sessions: methods of `methods` and of bind/session.c.
void bind_new_session_type(lua_State *L, enum vm_type type, const luaL_Reg *methods);

#endif
