// The log: one line per event on stderr, written with one write() so that
// lines of several threads never mix. Form:
//   2026-01-31T12:00:00.123Z info  message
// Control characters in a message are escaped, so a peer cannot forge lines
// (a newline becomes a newline with two spaces, for tracebacks).
#ifndef TIDEGATE_BASE_LOG_H
#define TIDEGATE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Messages under `level` are dropped. Call before threads start.
void log_set_level(enum log_level level);

// Parses "debug", "info", "warn" or "error"; false when it is none of them.
bool log_level_parse(const char *name, enum log_level *level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
