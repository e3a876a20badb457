// The text of a Lua file, as the compiler takes it.
#ifndef TIDEGATE_SCRIPT_RELOAD_SOURCE_H
#define TIDEGATE_SCRIPT_RELOAD_SOURCE_H

#include "base/buf.h"
#include "base/slice.h"

enum { SOURCE_MAX = 16 * 1024 * 1024 };  // bytes of a file

// Reads the regular file `path` into `file` (empty before, freed by the caller) and returns
// NULL; or what is wrong without the path, for the calling thread until its next call, with errno
// as of file_read. *text is the part of it without a byte order mark, and without a first line that
// starts with
// '#': that is the shell's. Its end stays, so that line numbers do.
const char *source_read(const char *path, struct buf *file, struct slice *text);

#endif
