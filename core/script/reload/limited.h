// A Lua state with limits of its own, for code that runs outside a worker's VM: config.lua.
// It has the standard libraries but for `debug` and os.setlocale, as standard.h leaves them. It
// has no finalizers, since none of Lua's hooks could end one that loops. A call of C that does not
// return cannot be ended either: the thread should be one that may be missed.
#ifndef TIDEGATE_SCRIPT_RELOAD_LIMITED_H
#define TIDEGATE_SCRIPT_RELOAD_LIMITED_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limited {
  lua_State *L;
  size_t held_bytes, max_bytes;
  uint64_t cpu_ns, max_ns;  // CPU time of the thread when it began, and from then on
};

// Initialises it in place. False when max_bytes is too small. The time counts from here.
bool limited_open(struct limited *limited, uint64_t time_ms, size_t max_bytes);
void limited_close(struct limited *limited);

#endif
