// A bundle: one reading of the script directory, every file compiled. Made on
// the main thread and then only read: all workers load the same bytes, so a
// file saved meanwhile cannot give two workers different scripts, and no worker
// spends time on parsing.
#ifndef TIDEGATE_SCRIPT_RELOAD_BUNDLE_H
#define TIDEGATE_SCRIPT_RELOAD_BUNDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/map.h"
#include "script/reload/scan.h"

struct chunk {
  char *module;     // name for require: "rooms", "demo.chat", "tidegate.router"
  char *path;       // as messages show it: "scripts/demo/chat.lua"
  struct buf code;  // Lua bytecode with debug information
  bool is_script;   // run when a generation loads (and not only when required)
  bool is_framework;
};

struct bundle {
  atomic_uint refs;
  struct chunk *chunks;  // scripts in the order they are run (by path), then the framework
  size_t count, cap;
  struct map by_module;
  struct scan *scan;  // the look that found them; the main thread's
};

// Reads and compiles all *.lua below dir (config.lua in dir itself is not a
// script; files whose name starts with '_' and everything below folders that
// do are only there to be required; names that start with '.' are ignored),
// and the framework: from lua_path when given, else from the program. Logs a
// warning for each name that is no script though it looks like one, and for
// each folder that cannot be read.
// The caller has one reference. NULL on failure: *error says what and where
// (the caller frees it), errno the system call that failed, or 0.
struct bundle *bundle_load(const char *dir, const char *lua_path, char **error);

// Each generation keeps a reference, for a `require` in a handler.
struct bundle *bundle_ref(struct bundle *bundle);
void bundle_unref(struct bundle *bundle);  // NULL is ignored

const struct chunk *bundle_find(const struct bundle *bundle, const char *module);
// Hands over the look that found the scripts; NULL the next time.
struct scan *bundle_take_scan(struct bundle *bundle);
size_t bundle_script_count(const struct bundle *bundle);

#endif
