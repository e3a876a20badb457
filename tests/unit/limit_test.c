// The limit of limit.c: a test that has failed and hangs then says both, and the next one runs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char output[65536];
static int status;

static int hang(void **state) {
  (void)state;
  alarm(1);  // here: outside a test cmocka would end the process
  while (output[0] == '\0') pause();
  return 0;
}

static void fails(void **state) {
  (void)state;
  fail_msg("the reason");
}

static void follows(void **state) { (void)state; }

// The jump out of the handler is meant, and ThreadSanitizer would end the process for it.
const char *__tsan_default_options(void);                                      // NOLINT
const char *__tsan_default_options(void) { return "report_signal_unsafe=0"; }  // NOLINT

static int run_hanging(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(fails, hang),
                                     cmocka_unit_test(follows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

// In a process of its own, before cmocka runs here.
static void read_hanging(void) {
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    _exit(run_hanging());
  }
  close(ends[1]);
  size_t len = 0;
  ssize_t got;
  while ((got = read(ends[0], output + len, sizeof output - 1 - len)) > 0) len += (size_t)got;
  close(ends[0]);
  waitpid(child, &status, 0);
}

static void expect_output(const char *text) {
  if (strstr(output, text) == NULL) fail_msg("no \"%s\" in %s", text, output);
}

static void what_hangs_fails_and_hides_nothing(void **state) {
  (void)state;
  expect_output("the reason");
  expect_output("[       OK ] follows");
  expect_output("teardown failed");
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

int main(void) {
  read_hanging();
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_hangs_fails_and_hides_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
