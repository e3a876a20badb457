// Signals: what is noted, in which order it is given, and what ends the process.
#include "base/signals.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_readable(int fd) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  return poll(&ready, 1, 0) == 1;
}

// How a child ends that calls one of these.
static int status_of(void (*child)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    child();
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

// ThreadSanitizer delays what a handler raises, so there the exit status that shells give counts.
static bool was_ended_by(int status, int number) {
#if defined(__SANITIZE_THREAD__)
  if (WIFEXITED(status)) return WEXITSTATUS(status) == 128 + number;
#endif
  return WIFSIGNALED(status) && WTERMSIG(status) == number;
}

static void send_term(void) {
  signals_end_process();
  raise(SIGTERM);
}

static void send_quit(void) {
  signals_end_process();
  raise(SIGQUIT);
}

static void send_hup(void) {
  signals_end_process();
  for (int i = 0; i < 3; i++) raise(SIGHUP);
}

static void send_second(void) {
  if (signals_note() < 0) _exit(1);
  raise(SIGINT);
  if (signals_next() != SIGINT) _exit(2);
  signals_end_process();
  raise(SIGINT);
}

static void send_hup_to_a_command(void) {
  signals_end_process();
  signals_end_command();
  raise(SIGHUP);
}

static void send_hup_before_a_command(void) {
  signals_end_process();
  raise(SIGHUP);
  signals_end_command();
}

static void ignore(const int *numbers) {
  for (; *numbers != 0; numbers++) signal(*numbers, SIG_IGN);
}

static void send_ignored_to_a_command(void) {
  static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, 0};
  ignore(ignored);
  signals_end_process();
  raise(SIGHUP);
  signals_end_command();
  for (const int *number = ignored; *number != 0; number++) raise(*number);
  _exit(7);
}

static void send_term_to_a_command_that_ignores_others(void) {
  ignore((const int[]){SIGHUP, SIGINT, SIGQUIT, 0});
  signals_end_process();
  signals_end_command();
  raise(SIGTERM);
}

static void a_command_is_ended_by_all_but_what_was_ignored(void **state) {
  (void)state;
  assert_true(was_ended_by(status_of(send_hup_to_a_command), SIGHUP));
  assert_true(was_ended_by(status_of(send_hup_before_a_command), SIGHUP));
  int status = status_of(send_ignored_to_a_command);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  assert_true(was_ended_by(status_of(send_term_to_a_command_that_ignores_others), SIGTERM));
}

static void before_the_loop_they_end_the_process_but_for_hup(void **state) {
  (void)state;
  assert_true(was_ended_by(status_of(send_term), SIGTERM));
  int status = status_of(send_quit);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGQUIT);
  assert_int_equal(status_of(send_hup), 0);
}

static void a_second_one_ends_the_process(void **state) {
  (void)state;
  assert_true(was_ended_by(status_of(send_second), SIGINT));
}

static void what_stops_comes_first_and_each_once(void **state) {
  (void)state;
  signals_end_process();
  raise(SIGHUP);  // while the scripts load
  int fd = signals_note();
  assert_true(is_readable(fd));
  for (int i = 0; i < 100000; i++) raise(SIGHUP);  // no number of them is too many
  raise(SIGTERM);
  assert_int_equal(signals_next(), SIGTERM);
  assert_false(is_readable(fd));
  assert_int_equal(signals_next(), SIGHUP);
  assert_int_equal(signals_next(), 0);
  raise(SIGHUP);
  assert_true(is_readable(fd));
  assert_int_equal(signals_next(), SIGHUP);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(before_the_loop_they_end_the_process_but_for_hup),
      cmocka_unit_test(a_command_is_ended_by_all_but_what_was_ignored),
      cmocka_unit_test(a_second_one_ends_the_process),
      cmocka_unit_test(what_stops_comes_first_and_each_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
