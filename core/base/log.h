// The log: one line per event on stderr. log_line.h has its form, log_out.h brings it there.
#ifndef TIDEGATE_BASE_LOG_H
#define TIDEGATE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log_line.h"

// Messages under `level` are dropped. Call before threads start.
void log_set_level(enum log_level level);

// Parses "debug", "info", "warn" or "error"; false when it is none of them.
bool log_level_parse(const char *name, enum log_level *level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The same for a text that may hold any bytes, NUL too.
void log_write_text(enum log_level level, const char *text, size_t length);

// A line as it is, with neither time nor level: why the program ends.
void log_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
