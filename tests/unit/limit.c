// A limit for every unit test program: what hangs becomes a test that fails, and says where.
//
// cmocka keeps why a test failed until its teardown is over, so a teardown that waits for what
// the test left open would hide it. Here the teardown fails too, and the next test follows.
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum {
  LIMIT_S = 300,  // ctest kills after 360
  MORE_S = 15,    // for what follows
  FRAMES_MAX = 64
};

static pthread_t main_thread;
static int real_stderr;  // a test may have put something else in its place

static void on_over(int number) {
  if (!pthread_equal(pthread_self(), main_thread)) {
    pthread_kill(main_thread, number);
    return;
  }
  static const char text[] = "\nThe program takes too long. It is here (addr2line -fe names it):\n";
  ssize_t ignored = write(real_stderr, text, sizeof text - 1);
  (void)ignored;
  void *frames[FRAMES_MAX];
  backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), real_stderr);
  alarm(MORE_S);
  fail_msg("it takes too long");
}

__attribute__((constructor)) static void start_limit(void) {
  void *frame;
  backtrace(&frame, 1);  // loads what it needs, which a handler must not
  main_thread = pthread_self();
  real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);  // tests count on the lowest ones
  // fail_msg jumps out of the handler.
  struct sigaction action = {.sa_handler = on_over, .sa_flags = SA_NODEFER};
  sigaction(SIGALRM, &action, NULL);
  alarm(LIMIT_S);
}
