// Log lines: see log.h.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static enum log_level threshold = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level) { threshold = level; }

bool log_level_parse(const char *name, enum log_level *level) {
  for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
    if (strcmp(name, level_names[i]) == 0) {
      *level = (enum log_level)i;
      return true;
    }
  }
  return false;
}

static void append_escaped(struct buf *line, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\n')
      buf_append_str(line, "\n  ");
    else if ((c < 0x20 && c != '\t') || c == 0x7f)
      buf_printf(line, "\\x%02x", c);
    else
      buf_append_char(line, (char)c);
  }
}

void log_write(enum log_level level, const char *format, ...) {
  if (level < threshold) return;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  struct buf line = {0};
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  buf_printf(&line, "%s.%03ldZ %-5s ", stamp, now.tv_nsec / 1000000, level_names[level]);

  struct buf text = {0};
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (length > 0) {
    vsnprintf(buf_reserve(&text, (size_t)length + 1), (size_t)length + 1, format, again);
    append_escaped(&line, text.data, (size_t)length);
  }
  va_end(again);
  buf_append_char(&line, '\n');

  // A log that cannot be written must not stop the server.
  ssize_t ignored = write(STDERR_FILENO, line.data, line.end);
  (void)ignored;
  buf_free(&text);
  buf_free(&line);
}
