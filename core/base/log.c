// Log lines: see log.h.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_out.h"

static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level) { threshold = level; }

bool log_level_parse(const char *name, enum log_level *level) {
  for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
    if (strcmp(name, log_level_name((enum log_level)i)) == 0) {
      *level = (enum log_level)i;
      return true;
    }
  }
  return false;
}

void log_write_text(enum log_level level, const char *text, size_t length) {
  if (level < threshold) return;
  struct buf line = {0};
  log_line_append(&line, level, text, length);
  log_out_put(line.data, line.end);
  buf_free(&line);
}

void log_write(enum log_level level, const char *format, ...) {
  if (level < threshold) return;
  char *text = NULL;
  va_list args;
  va_start(args, format);
  int length = vasprintf(&text, format, args);
  va_end(args);
  if (length < 0) return;
  log_write_text(level, text, (size_t)length);
  free(text);
}

void log_plain(const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  int length = vasprintf(&text, format, args);
  va_end(args);
  if (length < 0) return;
  struct buf line = {0};
  buf_append(&line, text, (size_t)length);
  buf_append_char(&line, '\n');
  log_out_put(line.data, line.end);
  buf_free(&line);
  free(text);
}
