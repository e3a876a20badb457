// Reading a whole file that may be anything: a FIFO, a device or a socket under a name that
// promises a file is refused and never waited for.
#ifndef TIDEGATE_BASE_FILE_H
#define TIDEGATE_BASE_FILE_H

#include <sys/stat.h>

#include "base/buf.h"

// Appends the content of the regular file `path` to out, `max` bytes at most. Returns NULL,
// or what is wrong without the path ("it is a FIFO, not a file"), for the calling thread until
// its next call; errno is that of a failed system call, or 0.
const char *file_read(const char *path, size_t max, struct buf *out);

// "a FIFO", "a folder", ... for messages.
const char *file_kind(mode_t mode);

#endif
