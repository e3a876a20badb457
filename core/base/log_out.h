// The way of finished lines of the log to stderr, and of what scripts print to stdout. Whoever
// reads there may be slow, stand still or be gone, which must not hold up the server: a thread for
// each writes, and lines wait for it up to a bound. What comes beyond is dropped and counted, and
// a line of the log says how many they were as soon as lines get through again. Lines keep their
// order, and no line of this process gets into another, however long it is.
#ifndef TIDEGATE_BASE_LOG_OUT_H
#define TIDEGATE_BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/metrics.h"

enum {
  // Of memory of lines of either that wait, 24 bytes a line included; one line alone may be longer.
  LOG_WAITING_BYTES = 1048576,
  LOG_FLUSH_MS = 1000,  // log_out_stop waits that long for either at most
};

struct log_counts {
  metric_value log_dropped, print_dropped;
};
extern struct log_counts log_counts;
extern const struct metrics log_metrics;

// Starts the thread of the log, or of prints; false, with errno, when the system gives none. Until
// then, and after log_out_stop, the thread that logs or prints writes.
bool log_out_start(void);
bool log_out_start_prints(void);

// Adds one line, its newline included, or what a script writes to stderr in one call, which stays
// together but may end within a line. Copies it. Any thread.
void log_out_put(const char *line, size_t length);

// The same for what a script prints: lines, or parts of them.
void log_out_put_print(const char *text, size_t length);

// Waits until everything is written, but at most LOG_FLUSH_MS for either, and ends the threads.
// Whoever logs or prints after a wait in vain is not heard.
void log_out_stop(void);

#endif
