// Signals: see signals.h. Any thread may get them.
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

// What is to be done first comes first.
static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static atomic_bool noted[NUMBERS];
static bool was_ignored[NUMBERS];  // by who started us
static int event = -1;             // written to with each that is noted

static void wake(void) {
  const uint64_t one = 1;
  ssize_t ignored = event >= 0 ? write(event, &one, sizeof one) : 0;
  (void)ignored;
}

static void on_noted(int number) {
  int error = errno;
  for (size_t i = 0; i < NUMBERS; i++) {
    if (numbers[i] == number) noted[i] = true;
  }
  wake();
  errno = error;
}

static void on_end(int number) {
  // The default action stands again (SA_RESETHAND), so this does not return, unless our
  // process id is 1. QUIT would leave a core file.
  if (number != SIGQUIT) raise(number);
  _exit(128 + number);
}

// True when it was ignored.
static bool handle(int number, void (*handler)(int number), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, &old) == 0 && old.sa_handler == SIG_IGN;
}

static bool end_by(int number) { return handle(number, on_end, (int)SA_RESETHAND | SA_NODEFER); }

void signals_end_process(void) {
  for (size_t i = 0; i < NUMBERS; i++) {
    bool is_hup = numbers[i] == SIGHUP;
    if (is_hup ? handle(SIGHUP, on_noted, SA_RESTART) : end_by(numbers[i])) was_ignored[i] = true;
  }
}

void signals_end_command(void) {
  for (size_t i = 0; i < NUMBERS; i++) {
    if (was_ignored[i])
      handle(numbers[i], SIG_IGN, 0);
    else
      end_by(numbers[i]);
    if (atomic_exchange(&noted[i], false)) raise(numbers[i]);
  }
}

int signals_note(void) {
  event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) return -1;
  for (size_t i = 0; i < NUMBERS; i++) {
    handle(numbers[i], on_noted, SA_RESTART);
    if (noted[i]) wake();
  }
  return event;
}

int signals_next(void) {
  uint64_t count;
  ssize_t ignored = read(event, &count, sizeof count);  // first: one that comes now wakes again
  (void)ignored;
  for (size_t i = 0; i < NUMBERS; i++) {
    if (atomic_exchange(&noted[i], false)) return numbers[i];
  }
  return 0;
}
