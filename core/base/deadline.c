// The end of the process: see deadline.h.
#include "base/deadline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  struct timespec until;
  bool is_started, is_stopped;
  void (*report)(void *arg);
  void *arg;
} deadline = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *run(void *arg) {
  (void)arg;
  int waited = 0;
  pthread_mutex_lock(&deadline.lock);
  while (!deadline.is_stopped && waited == 0)
    waited = pthread_cond_timedwait(&deadline.wake, &deadline.lock, &deadline.until);
  bool is_over = !deadline.is_stopped;
  pthread_mutex_unlock(&deadline.lock);
  if (!is_over) return NULL;
  deadline.report(deadline.arg);
  _exit(EXIT_FAILURE);
}

void deadline_start(uint64_t ms, void (*report)(void *arg), void *arg) {
  deadline.report = report;
  deadline.arg = arg;
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&deadline.wake, &attributes);
  pthread_condattr_destroy(&attributes);
  clock_gettime(CLOCK_MONOTONIC, &deadline.until);
  uint64_t ns = (uint64_t)deadline.until.tv_nsec + ms % 1000 * 1000000u;
  deadline.until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000u);
  deadline.until.tv_nsec = (long)(ns % 1000000000u);
  deadline.is_started = pthread_create(&deadline.thread, NULL, run, NULL) == 0;
}

void deadline_stop(void) {
  if (!deadline.is_started) return;
  pthread_mutex_lock(&deadline.lock);
  deadline.is_stopped = true;
  pthread_cond_signal(&deadline.wake);
  pthread_mutex_unlock(&deadline.lock);
  pthread_join(deadline.thread, NULL);
  deadline.is_started = false;
}
