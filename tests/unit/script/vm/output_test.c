// What scripts print: whole lines in their order, and never in the way of who prints.
#include "script/vm/output.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log_out.h"
#include "script/vm/standard.h"

enum { LINES = 30000 };

// A pipe in place of stdout or stderr, with room for one page, and what came out of it.
struct end {
  int fd, real, reader;
  char *text;
  size_t length;
};

static struct end out, err;
static lua_State *L;

static void open_end(struct end *end, int fd) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_true(fcntl(ends[0], F_SETPIPE_SZ, 4096) > 0);
  *end = (struct end){.fd = fd, .real = dup(fd), .reader = ends[0], .text = calloc(1, 1 << 24)};
  dup2(ends[1], fd);
  close(ends[1]);
}

static void close_end(struct end *end) {
  dup2(end->real, end->fd);
  close(end->real);
  close(end->reader);
  free(end->text);
}

static void read_more(struct end *end) {
  struct pollfd ready = {.fd = end->reader, .events = POLLIN};
  assert_int_equal(poll(&ready, 1, 30000), 1);
  ssize_t got = read(end->reader, end->text + end->length, (1 << 24) - 1 - end->length);
  assert_true(got > 0);
  end->length += (size_t)got;
}

// Reads until `last` has come.
static void read_until(struct end *end, const char *last) {
  while (strstr(end->text, last) == NULL) read_more(end);
}

static int start_threads(void **state) {
  (void)state;
  return log_out_start() && output_start() ? 0 : -1;
}

static int stop_threads(void **state) {
  (void)state;
  output_flush();
  log_out_stop();
  return 0;
}

static int open_state(void **state) {
  (void)state;
  L = luaL_newstate();
  luaL_openlibs(L);
  standard_replace(L);
  open_end(&out, STDOUT_FILENO);
  open_end(&err, STDERR_FILENO);
  return 0;
}

static int close_state(void **state) {
  (void)state;
  lua_close(L);
  close_end(&out);
  close_end(&err);
  return 0;
}

static void run(const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_settop(L, 0);
}

static void prints_as_lua_does(void **state) {
  (void)state;
  run("print() print('a', 1, 2.5, nil, true) print(setmetatable({}, { __tostring = function() "
      "return 'mine' end })) print('a\\0b')");
  static const char expected[] = "\na\t1\t2.5\tnil\ttrue\nmine\na\0b\n";
  while (out.length < sizeof expected - 1) read_more(&out);
  assert_int_equal(out.length, sizeof expected - 1);
  assert_memory_equal(out.text, expected, out.length);
}

static void all_ways_to_write_keep_their_order(void **state) {
  (void)state;
  run("io.write('1 ') print('2') io.stdout:write(3, ' ') io.write('4\\n') io.output():write('5 ') "
      "print('6') io.write('7') io.stdout:flush() io.stdout:write(' 8\\n')");
  read_until(&out, "8\n");
  assert_string_equal(out.text, "1 2\n3 4\n5 6\n7 8\n");
}

static void standard_error_is_written_at_once(void **state) {
  (void)state;
  run("io.stderr:write('no', ' line ', 1)");
  read_until(&err, "no line 1");
  assert_int_equal(out.length, 0);
}

static void standard_error_is_written_as_lua_does(void **state) {
  (void)state;
  run("assert(io.stderr:write() == io.stderr) local ok, fault = pcall(function() "
      "io.stderr:write('half', nil) end) assert(not ok and fault:find('bad argument #2 to "
      ".write.')) "
      "io.stderr:write(1, ' ', 2.0, ' ', 2.5, ' ', 2^53, ' a\\0b'):write('\\n')");
  static const char expected[] = "1 2 2.5 9.007199254741e+15 a\0b\n";
  while (err.length < sizeof expected - 1) read_more(&err);
  assert_memory_equal(err.text, expected, err.length);
  run("local name = os.tmpname() local file = io.open(name, 'w') assert(file:write(1, 'x') == "
      "file) "
      "file:close() assert(io.open(name):read('a') == '1x') os.remove(name)");
}

enum { WRITERS = 4, LINES_EACH = 500 };

static void *write_lines(void *arg) {
  lua_State *own = arg;
  if (luaL_dostring(own, "for i = 1, lines do io.stderr:write('a', i % 10, 'b', '\\n') end"))
    return (void *)(uintptr_t)lua_tostring(own, -1);
  return NULL;
}

static lua_State *new_writer(void) {
  lua_State *own = luaL_newstate();
  luaL_openlibs(own);
  standard_replace(own);
  lua_pushinteger(own, LINES_EACH);
  lua_setglobal(own, "lines");
  return own;
}

static void what_one_call_writes_to_standard_error_stands_together(void **state) {
  (void)state;
  lua_State *states[WRITERS];
  pthread_t threads[WRITERS];
  for (size_t i = 0; i < WRITERS; i++) {
    states[i] = new_writer();
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, states[i]), 0);
  }
  for (size_t i = 0; i < WRITERS; i++) {
    void *fault;
    pthread_join(threads[i], &fault);
    if (fault != NULL) fail_msg("%s", (const char *)fault);
    lua_close(states[i]);
  }
  while (err.length < (size_t)WRITERS * LINES_EACH * 4) read_more(&err);
  for (size_t i = 0; i < err.length; i += 4) {
    const char *line = err.text + i;
    assert_true(line[0] == 'a' && line[2] == 'b' && line[3] == '\n');
  }
}

static void a_failing_tostring_prints_nothing(void **state) {
  (void)state;
  run("local bad = setmetatable({}, { __tostring = function() error 'bad' end }) "
      "assert(not pcall(print, 'half', bad)) assert(not pcall(print, 'half', setmetatable({}, "
      "{ __tostring = function() return {} end }))) print 'whole'");
  read_until(&out, "whole\n");
  assert_string_equal(out.text, "whole\n");
}

static void the_streams_cannot_be_closed(void **state) {
  (void)state;
  run("assert(not io.stdout:close()) assert(not io.close()) assert(not io.stderr:close()) "
      "assert(not io.stdout:seek('set')) assert(not io.stdout:read(1)) "
      "assert(io.type(io.stdout) == 'file') io.stdout = nil collectgarbage() print 'there'");
  read_until(&out, "there\n");
}

static void what_nobody_reads_is_dropped_and_told(void **state) {
  (void)state;
  long long before = metric_get(&log_counts.print_dropped);
  lua_pushinteger(L, LINES);
  lua_setglobal(L, "lines");
  run("for i = 1, lines do print(i, ('x'):rep(80)) end");
  long long dropped = metric_get(&log_counts.print_dropped) - before;
  assert_true(dropped > 0);
  read_until(&err, "warn  nobody takes what scripts print from stdout: dropping it\n");
  char last[64];
  snprintf(last, sizeof last, "\n%lld\t", LINES - dropped);
  read_until(&out, last);
  read_until(&err, "nobody took them\n");
  snprintf(last, sizeof last, "warn  %lld prints of scripts dropped", dropped);
  assert_non_null(strstr(err.text, last));
  run("print 'next'");
  read_until(&out, "x\nnext\n");
  long long number = 0;
  char *rest = NULL;
  for (char *line = strtok_r(out.text, "\n", &rest); strcmp(line, "next") != 0;
       line = strtok_r(NULL, "\n", &rest))
    assert_int_equal(strtoll(line, NULL, 10), ++number);
  assert_int_equal(number, LINES - dropped);
}

// A log of one line for each print would be worse than the loss.
static void a_reader_that_is_gone_is_no_flood_of_the_log(void **state) {
  (void)state;
  long long before = metric_get(&log_counts.print_dropped);
  close(out.reader);
  out.reader = -1;
  run("for i = 1, 100 do print(i) end");
  while (metric_get(&log_counts.print_dropped) - before < 100) usleep(1000);
  run("io.stderr:write 'end\\n'");
  read_until(&err, "end\n");
  assert_string_equal(err.text, "end\n");
}

#define output_test(name) cmocka_unit_test_setup_teardown(name, open_state, close_state)

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      output_test(prints_as_lua_does),
      output_test(all_ways_to_write_keep_their_order),
      output_test(standard_error_is_written_at_once),
      output_test(standard_error_is_written_as_lua_does),
      output_test(what_one_call_writes_to_standard_error_stands_together),
      output_test(a_failing_tostring_prints_nothing),
      output_test(the_streams_cannot_be_closed),
      output_test(what_nobody_reads_is_dropped_and_told),
      output_test(a_reader_that_is_gone_is_no_flood_of_the_log),
  };
  return cmocka_run_group_tests(tests, start_threads, stop_threads);
}
