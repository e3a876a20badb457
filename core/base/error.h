// What a failed system call says, as text.
#ifndef TIDEGATE_BASE_ERROR_H
#define TIDEGATE_BASE_ERROR_H

// The text of an errno, for the calling thread: it holds until its next call.
const char *error_text(int error);

#endif
