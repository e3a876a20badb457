// Reading a whole file: what is read, and what is refused by name and never waited for.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX = 200000 };

static char folder[64], path[80];
static struct buf text;

static int start(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/tidegate-file-XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/f", folder);
  return 0;
}

static int end(void **state) {
  (void)state;
  buf_free(&text);
  unlink(path);
  return rmdir(folder);
}

static void write_bytes(size_t count) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (size_t i = 0; i < count; i++) fputc('a' + (int)(i % 26), file);
  fclose(file);
}

static void is_appended_whole(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 65536, 65537, MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    buf_clear(&text);
    buf_append_str(&text, "before");
    write_bytes(sizes[i]);
    assert_null(file_read(path, MAX, &text));
    assert_int_equal(buf_len(&text), 6 + sizes[i]);
    struct slice all = buf_slice(&text);
    assert_memory_equal(all.ptr, "before", 6);
    for (size_t k = 6; k < all.len; k++) assert_int_equal(all.ptr[k], 'a' + (int)((k - 6) % 26));
  }
}

static void one_that_is_too_large_is_refused(void **state) {
  (void)state;
  write_bytes(MAX + 1);
  assert_string_equal(file_read(path, MAX, &text), "it is larger than 200000 bytes");
  assert_int_equal(errno, 0);
}

static void what_the_system_refuses_is_named(void **state) {
  (void)state;
  assert_string_equal(file_read(path, MAX, &text), strerror(ENOENT));
  assert_int_equal(errno, ENOENT);
  assert_int_equal(symlink("f", path), 0);
  assert_string_equal(file_read(path, MAX, &text), strerror(ELOOP));
  assert_int_equal(errno, ELOOP);
}

// Nobody writes into the FIFO, and the device never ends.
static void what_is_no_file_is_refused_and_not_waited_for(void **state) {
  (void)state;
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_string_equal(file_read(path, MAX, &text), "it is a FIFO, not a file");
  assert_int_equal(errno, 0);
  assert_string_equal(file_read(folder, MAX, &text), "it is a folder, not a file");
  assert_string_equal(file_read("/dev/zero", MAX, &text), "it is a device, not a file");
  assert_int_equal(buf_len(&text), 0);
}

static void kinds_have_names(void **state) {
  (void)state;
  static const struct {
    mode_t mode;
    const char *name;
  } rows[] = {{S_IFREG | 0644, "a file"},   {S_IFDIR | 0755, "a folder"},
              {S_IFIFO | 0600, "a FIFO"},   {S_IFSOCK | 0600, "a socket"},
              {S_IFCHR | 0600, "a device"}, {S_IFBLK | 0600, "a device"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_string_equal(file_kind(rows[i].mode), rows[i].name);
}

#define file_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      file_test(is_appended_whole),
      file_test(one_that_is_too_large_is_refused),
      file_test(what_the_system_refuses_is_named),
      file_test(what_is_no_file_is_refused_and_not_waited_for),
      cmocka_unit_test(kinds_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
