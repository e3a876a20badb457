// Time, level and text of a line: see log_line.h.
#include "base/log_line.h"

#include <time.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(enum log_level level) { return level_names[level]; }

static void append_stamp(struct buf *line, enum log_level level) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char stamp[32];
  strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  buf_printf(line, "%s.%03ldZ %-5s ", stamp, now.tv_nsec / 1000000, level_names[level]);
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

void log_line_append(struct buf *line, enum log_level level, const char *text, size_t length) {
  size_t shown = length < LOG_MESSAGE_BYTES ? length : LOG_MESSAGE_BYTES;
  append_stamp(line, level);
  append_escaped(line, text, shown);
  if (shown < length) buf_printf(line, "... (%zu bytes more)", length - shown);
  buf_append_char(line, '\n');
}
