// Signals while no event loop listens: see signals.h.
#include "base/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t saw_hup;

static void on_hup(int number) {
  (void)number;
  saw_hup = 1;
}

static void on_end(int number) {
  // The default action stands again (SA_RESETHAND), so this does not return, unless our
  // process id is 1. QUIT would leave a core file.
  if (number != SIGQUIT) raise(number);
  _exit(128 + number);
}

void signals_take(void) {
  static const int ends[] = {SIGTERM, SIGINT, SIGQUIT};
  struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) sigaction(ends[i], &action, NULL);
  action = (struct sigaction){.sa_handler = on_hup, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  saw_hup = 0;
  sigaction(SIGHUP, &action, NULL);
}

bool signals_saw_hup(void) { return saw_hup != 0; }
