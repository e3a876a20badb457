// Lines on their way to stderr: whole, in order, and never in the way of who logs, whatever
// stands at the other end.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log_out.h"
#include "base/mem.h"

// A line takes this much of the bound besides its text.
enum { LINE_BYTES = 3 * sizeof(void *) };

enum { READ_MAX = 64 * 1024 * 1024, WRITERS = 4, LONG_LINES = 50, LONG_BYTES = 20000 };

static int real_stderr, read_end;
static char *text;  // what was read, NUL-terminated
static size_t text_len;
static long long dropped_at_start;

static long long dropped(void) { return metric_get(&log_counts.log_dropped) - dropped_at_start; }

// stderr is a pipe from here on, with room for one page.
static void open_pipe(void) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_true(fcntl(ends[0], F_SETPIPE_SZ, 4096) > 0);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  read_end = ends[0];
}

static int start(void **state) {
  (void)state;
  real_stderr = dup(STDERR_FILENO);
  text = mem_alloc(READ_MAX);
  text_len = 0;
  text[0] = '\0';
  dropped_at_start = metric_get(&log_counts.log_dropped);
  open_pipe();
  return log_out_start() ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  if (read_end >= 0) close(read_end);
  dup2(real_stderr, STDERR_FILENO);
  close(real_stderr);
  free(text);
  return 0;
}

// Reads until `last` has come.
static void read_until(const char *last) {
  while (strstr(text, last) == NULL) {
    struct pollfd ready = {.fd = read_end, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 30000), 1);
    ssize_t got = read(read_end, text + text_len, READ_MAX - 1 - text_len);
    assert_true(got > 0);
    text_len += (size_t)got;
    text[text_len] = '\0';
  }
}

static void put_number(int number) {
  char line[128];
  int length = snprintf(line, sizeof line, "line %06d %080d\n", number, 0);
  log_out_put(line, (size_t)length);
}

static void put(const char *line) { log_out_put(line, strlen(line)); }

// ---- a reader that reads -----------------------------------------------------

static void test_stop_waits_for_what_was_put(void **state) {
  (void)state;
  put("one\n");
  put("two\n");
  log_out_stop();
  read_until("two\n");
  assert_string_equal(text, "one\ntwo\n");
  put("three\n");  // by this thread itself
  read_until("three\n");
  assert_int_equal(dropped(), 0);
}

static void *put_long_lines(void *arg) {
  const char *letter = arg;
  char *line = mem_alloc(LONG_BYTES + 1);
  memset(line, *letter, LONG_BYTES);
  line[LONG_BYTES] = '\n';
  for (int i = 0; i < LONG_LINES; i++) log_out_put(line, LONG_BYTES + 1);
  free(line);
  return NULL;
}

// Long lines, each of one letter; the note and the end are others.
static int count_whole_lines(void) {
  int count = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    if (*line == '2' || strcmp(line, "end") == 0) continue;
    size_t length = strlen(line);
    if (length != LONG_BYTES || strspn(line, (char[]){*line, '\0'}) != length)
      fail_msg("a torn line of %zu bytes: %.40s", length, line);
    count++;
  }
  return count;
}

static void test_lines_longer_than_the_pipe_are_whole(void **state) {
  (void)state;
  put_long_lines("x");
  put("end\n");
  read_until("end\n");
  assert_int_equal(count_whole_lines(), LONG_LINES);
  assert_int_equal(dropped(), 0);
  log_out_stop();
}

static void test_lines_of_many_threads_are_whole(void **state) {
  (void)state;
  static char letters[WRITERS][2] = {"a", "b", "c", "d"};
  pthread_t threads[WRITERS];
  for (size_t i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, put_long_lines, letters[i]), 0);
  // They put four megabytes, so some of it is dropped.
  for (size_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  read_until("took them\n");
  assert_int_equal(count_whole_lines() + dropped(), WRITERS * LONG_LINES);
  log_out_stop();
}

static void test_a_pipe_made_non_blocking_by_others_loses_nothing(void **state) {
  (void)state;
  assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
  for (int i = 0; i < 1000; i++) put_number(i);
  put("end\n");
  read_until("end\n");
  for (int i = 0; i < 1000; i++) assert_int_equal(strtol(text + i * 93 + 5, NULL, 10), i);
  assert_int_equal(dropped(), 0);
  log_out_stop();
}

// ---- a reader that does not ----------------------------------------------------

// The numbers that were read, with the note where some are missing; returns their count.
static long long check_numbers(long long *noted) {
  long long count = 0, last = -1;
  *noted = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    char *note = strstr(line, " of the log dropped here");
    if (note != NULL) {
      long long lost = strtoll(strstr(line, "warn  ") + 6, NULL, 10);
      *noted += lost;
      last += lost;
      continue;
    }
    long long number = strtoll(line + 5, NULL, 10);
    if (strncmp(line, "line ", 5) != 0 || strlen(line) != 92 || number != last + 1)
      fail_msg("after %lld: %s", last, line);
    last = number;
    count++;
  }
  return count;
}

static void test_what_nobody_reads_is_dropped_and_told(void **state) {
  (void)state;
  enum { LINES = 30000 };
  for (int i = 0; i < LINES; i++) put_number(i);
  assert_true(dropped() > 0);
  // No further line is needed to tell.
  read_until("dropped here");
  read_until("took them\n");
  long long noted;
  long long count = check_numbers(&noted);
  assert_int_equal(noted, dropped());
  assert_int_equal(count + noted, LINES);
  long long bytes = count * (93 + LINE_BYTES);
  assert_in_range(bytes, LOG_WAITING_BYTES - 93 - LINE_BYTES, LOG_WAITING_BYTES + 8192);
  log_out_stop();
}

// A line takes memory besides its text.
static void test_many_short_lines_stay_within_the_bound(void **state) {
  (void)state;
  enum { LINES = 500000, PIPE_BYTES = 4096 };
  for (int i = 0; i < LINES; i++) put("\n");
  long long taken = LINES - dropped();
  assert_in_range(taken, LOG_WAITING_BYTES / (1 + LINE_BYTES),
                  LOG_WAITING_BYTES / (1 + LINE_BYTES) + PIPE_BYTES + 1);
  read_until("took them\n");
  log_out_stop();
}

static void test_a_line_beyond_the_bound_is_taken_alone(void **state) {
  (void)state;
  size_t length = LOG_WAITING_BYTES * 2;
  char *line = mem_alloc(length);
  memset(line, 'x', length);
  line[length - 1] = '\n';
  log_out_put(line, length);
  read_until("x\n");
  assert_int_equal(text_len, length);
  free(line);
  assert_int_equal(dropped(), 0);
  log_out_stop();
}

static void test_a_reader_that_is_gone_holds_up_nothing(void **state) {
  (void)state;
  close(read_end);
  read_end = -1;
  for (int i = 0; i < 100; i++) put_number(i);
  while (dropped() < 100) usleep(1000);
  open_pipe();
  put("back\n");
  read_until("back\n");
  assert_non_null(strstr(text, " 100 lines of the log dropped here"));
  log_out_stop();
}

static void test_a_torn_line_does_not_swallow_the_next(void **state) {
  (void)state;
  char line[LONG_BYTES];
  memset(line, 'x', sizeof line);
  log_out_put(line, sizeof line);
  struct pollfd ready = {.fd = read_end, .events = POLLIN};
  assert_int_equal(poll(&ready, 1, 30000), 1);
  close(read_end);
  while (dropped() < 1) usleep(1000);
  open_pipe();
  put("next\n");
  read_until("next\n");
  assert_int_equal(text[0], '\n');
  assert_non_null(strstr(text, "\nnext\n"));
  log_out_stop();
}

static void test_a_full_disk_holds_up_nothing(void **state) {
  (void)state;
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(full >= 0);
  dup2(full, STDERR_FILENO);
  close(full);
  for (int i = 0; i < 100; i++) put_number(i);
  log_out_stop();
  assert_int_equal(dropped(), 100);
}

// The last: there is no start after it.
static void test_stop_does_not_wait_for_ever(void **state) {
  (void)state;
  for (int i = 0; i < 1000; i++) put_number(i);
  uint64_t start_ms = clock_mono_ms();
  log_out_stop();
  uint64_t took_ms = clock_mono_ms() - start_ms;
  assert_in_range(took_ms, LOG_FLUSH_MS - 50, LOG_FLUSH_MS + 20000);
  put_number(1000);  // is dropped, but does not wait
  assert_int_equal(dropped(), 1);
  read_until("1 line of the log dropped here");
  read_until("took them\n");
}

#define piped_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      piped_test(test_stop_waits_for_what_was_put),
      piped_test(test_lines_longer_than_the_pipe_are_whole),
      piped_test(test_lines_of_many_threads_are_whole),
      piped_test(test_a_pipe_made_non_blocking_by_others_loses_nothing),
      piped_test(test_what_nobody_reads_is_dropped_and_told),
      piped_test(test_many_short_lines_stay_within_the_bound),
      piped_test(test_a_line_beyond_the_bound_is_taken_alone),
      piped_test(test_a_reader_that_is_gone_holds_up_nothing),
      piped_test(test_a_torn_line_does_not_swallow_the_next),
      piped_test(test_a_full_disk_holds_up_nothing),
      piped_test(test_stop_does_not_wait_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
