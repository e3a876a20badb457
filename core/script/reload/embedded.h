// The framework's Lua modules, compiled into the program by lua/embed.cmake so
// that the binary runs from anywhere.
#ifndef TIDEGATE_SCRIPT_RELOAD_EMBEDDED_H
#define TIDEGATE_SCRIPT_RELOAD_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
  const char *name;           // as `require` takes it: "tidegate", "tidegate.router"
  const unsigned char *data;  // source text, not NUL-terminated
  size_t size;
};

// Sorted by file path; lives as long as the program.
extern const struct embedded_file embedded_lua[];
extern const size_t embedded_lua_count;

#endif
