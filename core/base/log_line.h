// The form of a line of the log:
//   2026-01-31T12:00:00.123Z info  message
// Control characters in a message are escaped, so a peer cannot forge lines
// (a newline becomes a newline with two spaces, for tracebacks).
#ifndef TIDEGATE_BASE_LOG_LINE_H
#define TIDEGATE_BASE_LOG_LINE_H

#include <stddef.h>

#include "base/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum { LOG_MESSAGE_BYTES = 262144 };  // a longer message is cut there, and says so

const char *log_level_name(enum log_level level);  // "debug", "info", "warn", "error"

// Appends the line, with the time it is now and a newline at the end. The text may hold any
// bytes; a NUL becomes \x00.
void log_line_append(struct buf *line, enum log_level level, const char *text, size_t length);

#endif
