// Log lines: see log.h.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
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

static void append_formatted(struct buf *text, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if (length > 0) {
    vsnprintf(buf_reserve(text, (size_t)length + 1), (size_t)length + 1, format, again);
    buf_grew(text, (size_t)length);
  }
  va_end(again);
}

void log_write(enum log_level level, const char *format, ...) {
  if (level < threshold) return;
  struct buf text = {0};
  va_list args;
  va_start(args, format);
  append_formatted(&text, format, args);
  va_end(args);
  log_write_text(level, text.data, text.end);
  buf_free(&text);
}

void log_plain(const char *format, ...) {
  struct buf line = {0};
  va_list args;
  va_start(args, format);
  append_formatted(&line, format, args);
  va_end(args);
  buf_append_char(&line, '\n');
  log_out_put(line.data, line.end);
  buf_free(&line);
}
