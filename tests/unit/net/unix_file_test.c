// The file of a unix socket: whose it is, and who may take it away.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/unix_file.h"

static char folder[64], path[80];

static int start(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/tidegate-unix-XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/gate.sock", folder);
  return 0;
}

static int end(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
}

static int is_there(void) { return access(path, F_OK) == 0; }

static int connect_to(int flags) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
  if (connect(fd, (struct sockaddr *)&where, sizeof where) == 0) return fd;
  close(fd);
  return -errno;
}

static void the_owner_removes_it(void **state) {
  (void)state;
  int file;
  int fd = unix_file_listen(path, 4, &file);
  assert_true(fd >= 0);
  close(connect_to(0));
  close(fd);
  unix_file_remove(path, file);
  assert_false(is_there());
}

static void a_living_server_keeps_it(void **state) {
  (void)state;
  int file, other;
  int fd = unix_file_listen(path, 4, &file);
  assert_int_equal(unix_file_listen(path, 4, &other), -EADDRINUSE);
  assert_int_equal(other, -1);
  unix_file_remove(path, other);
  close(connect_to(0));
  close(fd);
  unix_file_remove(path, file);
}

// Connecting to it would wait.
static void a_living_server_with_a_full_backlog_keeps_it(void **state) {
  (void)state;
  int file, other, clients[8], count = 0;
  int fd = unix_file_listen(path, 1, &file);
  while (count < 8 && (clients[count] = connect_to(SOCK_NONBLOCK)) >= 0) count++;
  assert_in_range(count, 1, 7);
  assert_int_equal(unix_file_listen(path, 4, &other), -EADDRINUSE);
  while (count > 0) close(clients[--count]);
  close(fd);
  unix_file_remove(path, file);
}

static void that_of_the_dead_is_replaced(void **state) {
  (void)state;
  int dead_file, file;
  close(unix_file_listen(path, 4, &dead_file));
  assert_true(is_there());
  int fd = unix_file_listen(path, 4, &file);
  assert_true(fd >= 0);
  close(connect_to(0));
  // The first one was only stopping: it ends now, and the file is its successor's.
  unix_file_remove(path, dead_file);
  assert_true(is_there());
  close(connect_to(0));
  close(fd);
  unix_file_remove(path, file);
  assert_false(is_there());
}

static void that_of_a_successor_stays_though_ours_was_deleted(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {  // file systems give inode numbers again
    int file, next_file;
    int fd = unix_file_listen(path, 4, &file);
    unlink(path);
    int next = unix_file_listen(path, 4, &next_file);
    close(fd);
    unix_file_remove(path, file);
    assert_true(is_there());
    close(next);
    unix_file_remove(path, next_file);
    assert_false(is_there());
  }
}

static void what_is_no_socket_stays(void **state) {
  (void)state;
  int file;
  close(open(path, O_CREAT | O_WRONLY, 0600));
  assert_int_equal(unix_file_listen(path, 4, &file), -EEXIST);
  assert_true(is_there());
}

static void a_missing_folder_is_an_error(void **state) {
  (void)state;
  int file;
  assert_int_equal(unix_file_listen("/no/such/folder/s", 4, &file), -ENOENT);
  assert_int_equal(file, -1);
}

static void a_folder_locked_by_others_holds_up_for_a_moment(void **state) {
  (void)state;
  int lock = open(folder, O_RDONLY | O_DIRECTORY), file;
  assert_int_equal(flock(lock, LOCK_EX), 0);
  uint64_t start_ms = clock_mono_ms();
  int fd = unix_file_listen(path, 4, &file);
  assert_true(fd >= 0);
  assert_in_range(clock_mono_ms() - start_ms, 900, 60000);
  close(lock);
  close(fd);
  unix_file_remove(path, file);
  assert_false(is_there());
}

#define folder_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      folder_test(the_owner_removes_it),
      folder_test(a_living_server_keeps_it),
      folder_test(a_living_server_with_a_full_backlog_keeps_it),
      folder_test(that_of_the_dead_is_replaced),
      folder_test(that_of_a_successor_stays_though_ours_was_deleted),
      folder_test(what_is_no_socket_stays),
      folder_test(a_missing_folder_is_an_error),
      folder_test(a_folder_locked_by_others_holds_up_for_a_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
