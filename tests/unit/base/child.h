// A function in a process of its own: how that ends, and what it prints.
#ifndef TIDEGATE_TESTS_CHILD_H
#define TIDEGATE_TESTS_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct child {
  int status;        // as of waitpid
  char text[32768];  // of stdout and stderr; more is dropped
};

static inline void child_read(struct child *child, int fd) {
  char rest[4096];
  size_t len = 0, room;
  ssize_t got;
  do {
    room = sizeof child->text - 1 - len;
    got = room > 0 ? read(fd, child->text + len, room) : read(fd, rest, sizeof rest);
    if (room > 0 && got > 0) len += (size_t)got;
  } while (got > 0);
  child->text[len] = '\0';
}

// The process ends with status 0 when `run` returns. This one must have no threads.
static inline void child_run(struct child *child, void (*run)(void)) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    run();
    exit(0);
  }
  close(ends[1]);
  child_read(child, ends[0]);
  close(ends[0]);
  assert_int_equal(waitpid(pid, &child->status, 0), pid);
}

static inline void child_expect_exit(const struct child *child, int status) {
  if (!WIFEXITED(child->status) || WEXITSTATUS(child->status) != status)
    fail_msg("ended with %#x: %s", (unsigned)child->status, child->text);
}

#endif
