// What a failed system call says, as text.
#ifndef TIDEGATE_BASE_ERROR_H
#define TIDEGATE_BASE_ERROR_H

#include <stdbool.h>

// The text of an errno, for the calling thread: it holds until its next call.
const char *error_text(int error);

// Whether it is a lack of something that others may give back (descriptors, memory), or a fault
// of a file system that may pass: trying again later may help.
bool error_is_transient(int error);

#endif
