// The descriptor in reserve: one connection is accepted when there is no other left.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/spare_file.h"

enum { FILES = 64 };

static int listener, clients[3], taken[FILES], taken_count;
static struct rlimit real_limit;

// An abstract address of the system's choice, with connections that wait.
static int start(void **state) {
  (void)state;
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  socklen_t len = sizeof(sa_family_t);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&where, len) != 0 || listen(listener, 4) != 0) return -1;
  len = sizeof where;
  getsockname(listener, (struct sockaddr *)&where, &len);
  for (int i = 0; i < 3; i++) {
    clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(clients[i], (struct sockaddr *)&where, len) != 0) return -1;
  }
  getrlimit(RLIMIT_NOFILE, &real_limit);
  struct rlimit low = real_limit;
  low.rlim_cur = FILES;
  return setrlimit(RLIMIT_NOFILE, &low);
}

static void take_all(void) {
  while ((taken[taken_count] = dup(listener)) >= 0) taken_count++;
}

static void give_back(void) {
  while (taken_count > 0) close(taken[--taken_count]);
}

static int end(void **state) {
  (void)state;
  give_back();
  setrlimit(RLIMIT_NOFILE, &real_limit);
  for (int i = 0; i < 3; i++) close(clients[i]);
  close(listener);
  return 0;
}

static void accepts_with_the_last_descriptor_and_fills_up_again(void **state) {
  (void)state;
  struct spare_file spare;
  spare_file_open(&spare);
  assert_true(spare.fd >= 0);
  take_all();
  int first = spare_file_accept(&spare, listener, SOCK_NONBLOCK);
  assert_true(first >= 0);
  assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
  assert_true((fcntl(first, F_GETFL) & O_NONBLOCK) != 0);
  assert_int_equal(spare_file_accept(&spare, listener, 0), -1);
  assert_int_equal(errno, EMFILE);
  close(first);
  // It is the reserve again, and given up again.
  int second = spare_file_accept(&spare, listener, 0);
  assert_true(second >= 0);
  give_back();
  int third = spare_file_accept(&spare, listener, 0);
  assert_true(third >= 0 && spare.fd >= 0);
  assert_int_equal(spare_file_accept(&spare, listener, 0), -1);
  assert_int_equal(errno, EAGAIN);
  close(second);
  close(third);
  spare_file_close(&spare);
  assert_int_equal(spare.fd, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(accepts_with_the_last_descriptor_and_fills_up_again, start,
                                      end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
