// A worker's epoll: what is reported, how often, and who is woken.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/poll.h"

static struct poll poller;
static int woken_count;
static int ready_count;
static uint32_t ready_events;

static void on_wake(struct poll *poll) {
  assert_ptr_equal(poll, &poller);
  woken_count++;
}

static void on_ready(struct poll_watch *watch, uint32_t events) {
  (void)watch;
  ready_count++;
  ready_events = events;
}

static struct poll_watch watch = {on_ready};
static int ends[2];

static int set_up(void **state) {
  (void)state;
  woken_count = ready_count = 0;
  ready_events = 0;
  assert_true(poll_init(&poller, on_wake));
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
}

static int tear_down(void **state) {
  (void)state;
  close(ends[0]);
  close(ends[1]);
  poll_free(&poller);
  return 0;
}

// What a turn reports; it does not wait.
static int count_ready(void) {
  ready_count = 0;
  poll_wait(&poller, 0);
  while (poll_dispatch(&poller)) continue;
  return ready_count;
}

static void reports_input_once(void **state) {
  (void)state;
  assert_true(poll_add(&poller, ends[0], EPOLLIN | EPOLLET, &watch));
  assert_int_equal(count_ready(), 0);
  assert_int_equal(write(ends[1], "a", 1), 1);
  assert_int_equal(count_ready(), 1);
  assert_int_equal(ready_events, EPOLLIN);
  assert_int_equal(count_ready(), 0);
  assert_int_equal(write(ends[1], "b", 1), 1);
  assert_int_equal(count_ready(), 1);
}

static void reports_again_what_a_change_finds(void **state) {
  (void)state;
  assert_true(poll_add(&poller, ends[0], EPOLLIN | EPOLLET, &watch));
  assert_int_equal(write(ends[1], "a", 1), 1);
  assert_int_equal(count_ready(), 1);
  poll_change(&poller, ends[0], EPOLLIN | EPOLLOUT | EPOLLET, &watch);
  assert_int_equal(count_ready(), 1);
  assert_int_equal(ready_events, EPOLLIN | EPOLLOUT);
}

static void tells_no_more_of_what_was_removed(void **state) {
  (void)state;
  assert_true(poll_add(&poller, ends[0], EPOLLIN, &watch));
  int inherited = dup(ends[0]);  // as a child process would have it
  poll_remove(&poller, ends[0]);
  close(ends[0]);
  assert_int_equal(write(ends[1], "a", 1), 1);
  assert_int_equal(count_ready(), 0);
  ends[0] = inherited;
}

static void wakes_once_for_many_calls(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) poll_wake(&poller);
  count_ready();
  assert_int_equal(woken_count, 1);
  count_ready();
  assert_int_equal(woken_count, 1);
  poll_wake(&poller);
  count_ready();
  assert_int_equal(woken_count, 2);
}

static void *wake_from_thread(void *arg) {
  poll_wake(arg);
  return NULL;
}

static void another_thread_ends_the_wait(void **state) {
  (void)state;
  for (int i = 1; i <= 1000; i++) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, &poller), 0);
    while (woken_count < i) {
      poll_wait(&poller, 20000);
      while (poll_dispatch(&poller)) continue;
    }
    pthread_join(thread, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(reports_input_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(reports_again_what_a_change_finds, set_up, tear_down),
      cmocka_unit_test_setup_teardown(tells_no_more_of_what_was_removed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(wakes_once_for_many_calls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(another_thread_ends_the_wait, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
