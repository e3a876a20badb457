// What scripts write to stdout and stderr (print, io.write, io.stderr:write): it goes the way of
// the log (base/log_out), so that no worker waits for whoever reads there.
#ifndef TIDEGATE_SCRIPT_VM_OUTPUT_H
#define TIDEGATE_SCRIPT_VM_OUTPUT_H

#include <lua.h>
#include <stdbool.h>

// For a server, before its threads start: from now on what scripts write waits for a thread of its
// own. False, with errno, when the system gives none. Without it Lua's own streams are used.
bool output_start(void);

// Passes on what is in the buffer of io.stdout.
void output_flush(void);

// Gives a state the streams of output_start, a `print` that writes whole lines, and a `write` of
// files that writes to io.stderr what it is given in one piece, so that nothing of the log or of
// another worker gets between the parts of one call. Two calls may have other lines between them.
// Once for a state.
void output_replace(lua_State *L);

#endif
