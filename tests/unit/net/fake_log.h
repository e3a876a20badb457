// The log as a text that tests read: this takes the place of base/log.c, which is then
// not linked. One line a message, "error ..."; any thread may write.
#ifndef TIDEGATE_TESTS_FAKE_LOG_H
#define TIDEGATE_TESTS_FAKE_LOG_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { FAKE_LOG_BYTES = 1 << 18 };

static char fake_log_text[FAKE_LOG_BYTES];
static size_t fake_log_len;
static pthread_mutex_t fake_log_lock = PTHREAD_MUTEX_INITIALIZER;

void log_set_level(enum log_level level) { (void)level; }

bool log_level_parse(const char *name, enum log_level *level) {
  (void)name, (void)level;
  return true;
}

// What does not fit is dropped.
static inline void fake_log_add(const char *start, const char *text, int length) {
  pthread_mutex_lock(&fake_log_lock);
  char *out = fake_log_text + fake_log_len, *end = fake_log_text + FAKE_LOG_BYTES - 8;
  out += snprintf(out, (size_t)(end - out), "%s", start);
  for (int i = 0; i < length && out < end; i++) {
    if (text[i] != '\0') {
      *out++ = text[i];
      continue;
    }
    memcpy(out, "\\x00", 4);  // as in log_line.c
    out += 4;
  }
  if (out < end) {
    *out++ = '\n';
    fake_log_len = (size_t)(out - fake_log_text);
  }
  fake_log_text[fake_log_len] = '\0';
  pthread_mutex_unlock(&fake_log_lock);
}

void log_write_text(enum log_level level, const char *text, size_t length) {
  static const char *const starts[] = {"debug ", "info ", "warn ", "error "};
  fake_log_add(starts[level], text, (int)length);
}

void log_write(enum log_level level, const char *format, ...) {
  char line[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  log_write_text(level, line, strlen(line));
}

void log_plain(const char *format, ...) {
  char line[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  fake_log_add("", line, (int)strlen(line));
}

// Whether the text was logged since the last fake_log_clear.
static inline bool fake_log_has(const char *text) {
  pthread_mutex_lock(&fake_log_lock);
  bool has = strstr(fake_log_text, text) != NULL;
  pthread_mutex_unlock(&fake_log_lock);
  return has;
}

static inline void fake_log_clear(void) {
  pthread_mutex_lock(&fake_log_lock);
  fake_log_len = 0;
  fake_log_text[0] = '\0';
  pthread_mutex_unlock(&fake_log_lock);
}

#endif
