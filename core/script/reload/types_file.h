// `tidegate types DIR`: the types of everything that scripts can use, for editors.
#ifndef TIDEGATE_SCRIPT_RELOAD_TYPES_FILE_H
#define TIDEGATE_SCRIPT_RELOAD_TYPES_FILE_H

#include <stdbool.h>

#include "base/slice.h"

// Writes DIR/tidegate.lua, and makes DIR if it is not there. A file of that name that this has
// not written stays as it is. Prints what it did, or why it did not; returns the exit status.
int types_file_write(const char *dir);

// Whether a Lua file says of itself that it holds types for editors and no code: its first line
// begins with ---@meta. The server does not load such files.
bool types_file_is_meta(struct slice text);

#endif
