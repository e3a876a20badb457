// Lines wait in a list that the writing thread takes from: see log_out.h.
#include "base/log_out.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"
#include "base/mem.h"

struct line {
  struct line *next;
  size_t length;
  uint64_t dropped_before;  // lines that should stand before it
  char text[];
};

// What a line takes of the bound: many short ones must not get beyond it.
static size_t line_bytes(size_t length) { return sizeof(struct line) + length; }

enum mode {
  DIRECT,   // no thread: who logs writes
  THREAD,   // lines wait for the thread
  GIVEN_UP  // nobody reads: lines are dropped
};

struct out {
  int fd;
  metric_value *counter;  // of what was dropped
  pthread_mutex_t lock;
  pthread_cond_t filled, emptied;
  pthread_t thread;
  enum mode mode;
  bool ends;
  bool is_writing;  // the thread has taken a line
  struct line *first, **last;
  size_t waiting_bytes;
  // Once lines are dropped, all are until half of the room is free: gaps are few and long.
  bool is_dropping;
  uint64_t dropped;  // since the last line that was added
};

struct log_counts log_counts;

static struct out the_log = {.fd = STDERR_FILENO,
                             .counter = &log_counts.log_dropped,
                             .lock = PTHREAD_MUTEX_INITIALIZER,
                             .filled = PTHREAD_COND_INITIALIZER,
                             .last = &the_log.first};
static struct out prints = {.fd = STDOUT_FILENO,
                            .counter = &log_counts.print_dropped,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .filled = PTHREAD_COND_INITIALIZER,
                            .last = &prints.first};

static const struct metric rows[] = {
    METRIC(log_counts, log_dropped, METRIC_COUNTER,
           "Lines of the log that were dropped because nobody took them from stderr"),
    METRIC(log_counts, print_dropped, METRIC_COUNTER,
           "Prints of scripts that were dropped because nobody took them from stdout"),
};
const struct metrics log_metrics = METRICS(rows);

// ---- writing ---------------------------------------------------------------

// Somebody who shares the pipe or the terminal with us may have made it non-blocking.
static bool may_try_again(int fd) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN) return false;
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  return poll(&room, 1, -1) >= 0 || errno == EINTR;
}

// All of it, or as much as went out before a failure: the reader is gone, the disk is full.
static size_t write_text(int fd, const char *text, size_t length) {
  size_t written = 0;
  while (written < length) {
    ssize_t count = write(fd, text + written, length - written);
    if (count > 0)
      written += (size_t)count;
    else if (count == 0 || !may_try_again(fd))
      break;
  }
  return written;
}

// What the thread remembers between lines.
struct writer {
  struct out *out;
  bool is_torn;   // the last line did not get out as a whole
  uint64_t owed;  // lines that were lost since the reader was last told
};

static bool write_whole(struct writer *writer, const char *text, size_t length) {
  int fd = writer->out->fd;
  if (writer->is_torn && write_text(fd, "\n", 1) == 0) return false;
  size_t written = write_text(fd, text, length);
  writer->is_torn = written > 0 && written < length;
  return written == length;
}

// Of prints the log tells, once they get through again: what scripts print is not ours to add to.
static void tell_owed(struct writer *writer) {
  if (writer->owed == 0) return;
  bool is_log = writer->out == &the_log;
  char text[96];
  int length =
      snprintf(text, sizeof text, "%llu %s%s of %s: nobody took them",
               (unsigned long long)writer->owed, is_log ? "line" : "print",
               writer->owed == 1 ? "" : "s", is_log ? "the log dropped here" : "scripts dropped");
  struct buf line = {0};
  log_line_append(&line, LOG_WARN, text, (size_t)length);
  if (!is_log) log_out_put(line.data, line.end);
  if (!is_log || write_whole(writer, line.data, line.end)) writer->owed = 0;
  buf_free(&line);
}

static void write_line(struct writer *writer, const struct line *line) {
  bool is_log = writer->out == &the_log;
  writer->owed += line->dropped_before;
  if (is_log) tell_owed(writer);
  bool is_out = (!is_log || writer->owed == 0) && write_whole(writer, line->text, line->length);
  if (is_out && !is_log) tell_owed(writer);
  if (is_out) return;
  writer->owed++;
  metric_count(writer->out->counter, 1);
}

// ---- the thread --------------------------------------------------------------

static uint64_t take_dropped(struct out *out) {
  uint64_t dropped = out->dropped;
  out->dropped = 0;
  return dropped;
}

// The next line, or NULL with what was dropped since the last one; waits for either.
// Under the lock.
static struct line *take_line(struct out *out, uint64_t *dropped) {
  out->is_writing = false;
  while (out->first == NULL && out->dropped == 0 && !out->ends) {
    pthread_cond_broadcast(&out->emptied);
    pthread_cond_wait(&out->filled, &out->lock);
  }
  struct line *line = out->first;
  *dropped = line == NULL ? take_dropped(out) : 0;
  if (line == NULL) return NULL;
  out->first = line->next;
  if (out->first == NULL) out->last = &out->first;
  out->waiting_bytes -= line_bytes(line->length);
  if (out->waiting_bytes <= LOG_WAITING_BYTES / 2) out->is_dropping = false;
  out->is_writing = true;
  return line;
}

static void *run(void *arg) {
  struct out *out = arg;
  struct writer writer = {.out = out};
  pthread_mutex_lock(&out->lock);
  for (;;) {
    uint64_t dropped;
    struct line *line = take_line(out, &dropped);
    if (line == NULL && dropped == 0) break;  // the end
    out->is_writing = true;
    pthread_mutex_unlock(&out->lock);
    writer.owed += dropped;
    if (line != NULL)
      write_line(&writer, line);
    else
      tell_owed(&writer);
    free(line);
    pthread_mutex_lock(&out->lock);
  }
  pthread_cond_broadcast(&out->emptied);
  pthread_mutex_unlock(&out->lock);
  return NULL;
}

static bool start(struct out *out) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&out->emptied, &monotonic);
  pthread_condattr_destroy(&monotonic);
  out->ends = false;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  errno = pthread_create(&out->thread, NULL, run, out);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (errno == 0) out->mode = THREAD;
  return errno == 0;
}

// ---- for everybody -----------------------------------------------------------

static bool has_room(const struct out *out, size_t length) {
  if (out->first == NULL) return true;
  return !out->is_dropping && out->waiting_bytes + line_bytes(length) <= LOG_WAITING_BYTES;
}

// True when it is the first that is dropped.
static bool add_line(struct out *out, const char *text, size_t length) {
  if (out->mode == GIVEN_UP || !has_room(out, length)) {
    bool is_first = !out->is_dropping;
    out->is_dropping = true;
    out->dropped++;
    metric_count(out->counter, 1);
    return is_first;
  }
  struct line *line = mem_alloc(line_bytes(length));
  *line = (struct line){.length = length, .dropped_before = take_dropped(out)};
  memcpy(line->text, text, length);
  *out->last = line;
  out->last = &line->next;
  out->waiting_bytes += line_bytes(length);
  pthread_cond_signal(&out->filled);
  return false;
}

static void warn(const char *text) {
  struct buf line = {0};
  log_line_append(&line, LOG_WARN, text, strlen(text));
  log_out_put(line.data, line.end);
  buf_free(&line);
}

static void put(struct out *out, const char *line, size_t length) {
  pthread_mutex_lock(&out->lock);
  bool writes = out->mode == DIRECT;
  bool begins = !writes && add_line(out, line, length);
  pthread_mutex_unlock(&out->lock);
  if (begins && out == &prints) warn("nobody takes what scripts print from stdout: dropping it");
  if (writes) write_text(out->fd, line, length);
}

static bool is_drained(const struct out *out) {
  return out->first == NULL && !out->is_writing && out->dropped == 0;
}

static void stop(struct out *out) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += LOG_FLUSH_MS / 1000;
  pthread_mutex_lock(&out->lock);
  bool has_thread = out->mode == THREAD;
  int failure = 0;
  while (has_thread && !is_drained(out) && failure == 0)
    failure = pthread_cond_timedwait(&out->emptied, &out->lock, &until);
  out->ends = true;
  if (has_thread) out->mode = is_drained(out) ? DIRECT : GIVEN_UP;
  bool is_stuck = out->mode == GIVEN_UP;
  pthread_cond_signal(&out->filled);
  pthread_mutex_unlock(&out->lock);
  if (has_thread && is_stuck) pthread_detach(out->thread);
  if (has_thread && !is_stuck) pthread_join(out->thread, NULL);
}

bool log_out_start(void) { return start(&the_log); }

bool log_out_start_prints(void) { return start(&prints); }

void log_out_put(const char *line, size_t length) { put(&the_log, line, length); }

void log_out_put_print(const char *text, size_t length) { put(&prints, text, length); }

void log_out_stop(void) {
  stop(&prints);  // first: it may have something to log
  stop(&the_log);
}
