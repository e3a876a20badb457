// The methods of sessions: those of a WebSocket, and those of a stream, beside what both
// have.
#ifndef TIDEGATE_SCRIPT_BIND_SESSION_METHODS_H
#define TIDEGATE_SCRIPT_BIND_SESSION_METHODS_H

#include <lauxlib.h>

extern const luaL_Reg session_ws_methods[];      // in ws.c
extern const luaL_Reg session_stream_methods[];  // in stream.c

#endif
