// What Lua's standard library must not do in a server: end the process, keep signals from it,
// or wait for the terminal. For every state that runs what users wrote.
#ifndef TIDEGATE_SCRIPT_VM_STANDARD_H
#define TIDEGATE_SCRIPT_VM_STANDARD_H

#include <lua.h>

// os.exit raises. os.execute leaves the signals of the process alone; system(3) ignores INT and
// QUIT while the program runs. The standard input is an empty file, and in a server nobody waits
// for the reader of what is printed (output.h). A handle of io.popen that is collected does not
// wait for its program. Call it when the libraries are open; may raise for
// lack of memory.
void standard_replace(lua_State *L);

#endif
