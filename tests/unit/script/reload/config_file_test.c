// config.lua: what it sets, and what an error in it says.
#include "script/reload/config_file.h"

#include "script/scripts.h"

static int open_dir(void **state) {
  (void)state;
  scripts_open();
  return 0;
}

static int close_dir(void **state) {
  (void)state;
  scripts_close();
  return 0;
}

static void sets_what_it_returns(void **state) {
  (void)state;
  struct config config;
  config_init(&config);
  assert_null(config_file_apply(&config, scripts_dir, config.handler_time_ms));  // there is none
  scripts_write("config.lua",
                "return { listen = { '127.0.0.1:0', 'unix:/tmp/x' }, workers = 3, dev = true,\n"
                "  heartbeat = 1.5, log_level = os.getenv('NO_SUCH') or 'warn',\n"
                "  hub = { max_bytes = 65536 } }");
  char *error = config_file_apply(&config, scripts_dir, config.handler_time_ms);
  assert_null(error);
  assert_int_equal(config.listen_count, 2);
  assert_string_equal(config.listen[1], "unix:/tmp/x");
  assert_int_equal(config.workers, 3);
  assert_true(config.dev);
  assert_int_equal(config.heartbeat_ms, 1500);
  assert_string_equal(config.log_level, "warn");
  assert_int_equal(config.hub_max_bytes, 65536);
  config_free(&config);
}

static void says_what_is_wrong_and_where(void **state) {
  (void)state;
  static const struct {
    const char *text, *error;
  } rows[] = {
      {"return 5", "config.lua: must return a table"},
      {"", "config.lua: must return a table"},
      {"return {", "config.lua:1: unexpected symbol"},
      {"\nerror('on purpose')", "config.lua:2: on purpose"},
      {"error({})", "config.lua: raised a value that is no text"},
      {"\x1bLua", "config.lua: attempt to load a binary chunk"},
      {"return { worker = 1 }", "config.lua: unknown key \"worker\""},
      {"return { 5 }", "config.lua: settings are name = value (got [1])"},
      {"return { '127.0.0.1:0' }", "config.lua: settings are name = value (got [1])"},
      {"return { hub = { 5 } }", "config.lua: hub: settings are name = value (got [1])"},
      {"return { listen = {} }", "config.lua: listen: the list is empty"},
      {"return { listen = { host = '::1', port = 80 } }", "config.lua: listen: a list has no key "},
      {"return { listen = { '127.0.0.1:0', port = 80 } }", "listen: a list has no key port"},
      {"return { listen = { [5] = '127.0.0.1:0' } }", "config.lua: listen: the list has a hole"},
      {"return { workers = 0 }", "config.lua: workers: "},
      {"return { workers = 'many' }", "config.lua: workers: "},
      {"return { workers = print }", "config.lua: workers: a function is not a value"},
      {"return { workers = { 1 } }", "config.lua: workers: a table is not a value"},
      {"return { listen = 8080 }", "config.lua: listen: "},
      {"return { listen = true }", "config.lua: listen: "},
      {"return { listen = { '127.0.0.1:0', 80 } }", "config.lua: listen: "},
      {"return { log_level = 'info\\0' }", "config.lua: log_level: the text has a NUL"},
      {"return { workers = true }", "config.lua: workers: \"true\" is not a number"},
      {"return { hub = 5 }", "config.lua: unknown key \"hub\""},
      {"return { listen = { {} } }", "config.lua: listen: a table is not a value"},
      {"return { dev = 'perhaps' }", "config.lua: dev: "},
      {"return { hub = { max = 1 } }", "config.lua: unknown key \"hub_max\""},
      {"return { hub = { x = { y = 1 } } }", "config.lua: unknown key \"hub_x\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct config config;
    config_init(&config);
    scripts_write("config.lua", rows[i].text);
    char *error = config_file_apply(&config, scripts_dir, config.handler_time_ms);
    if (error == NULL) fail_msg("%s was taken", rows[i].text);
    if (strstr(error, rows[i].error) == NULL) fail_msg("%s: %s", rows[i].text, error);
    free(error);
    config_free(&config);
  }
}

static void what_does_not_end_is_ended(void **state) {
  (void)state;
  static const struct {
    const char *text, *error;
  } rows[] = {
      {"\nwhile true do end", "config.lua:2: ran for longer than handler_time allows"},
      {"while true do pcall(function() while true do end end) end", "ran for longer than"},
      {"return coroutine.wrap(function()\nwhile true do end end)()",
       "config.lua:2: ran for longer"},
      {"do local x <close> = setmetatable({}, { __close = function()\nwhile true do end end }) end",
       "config.lua:2: ran for longer"},
      {"\nsetmetatable({}, { __gc = print })", "config.lua:2: there is no __gc in this file"},
      {"return debug.getregistry()", "attempt to index a nil value (global 'debug')"},
      {"return require('debug').getregistry()", "module 'debug' not found"},
      {"local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
       "config.lua: not enough memory"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct config config;
    config_init(&config);
    config.handler_time_ms = 300;
    scripts_write("config.lua", rows[i].text);
    char *error = config_file_apply(&config, scripts_dir, config.handler_time_ms);
    if (error == NULL) fail_msg("%s was taken", rows[i].text);
    if (strstr(error, rows[i].error) == NULL) fail_msg("%s: %s", rows[i].text, error);
    free(error);
    config_free(&config);
  }
}

static void skips_a_byte_order_mark(void **state) {
  (void)state;
  struct config config;
  config_init(&config);
  scripts_write("config.lua", "\xef\xbb\xbf#!/usr/bin/lua\nreturn { workers = 7 }");
  assert_null(config_file_apply(&config, scripts_dir, config.handler_time_ms));
  assert_int_equal(config.workers, 7);
  config_free(&config);
}

static void a_fifo_is_not_waited_for(void **state) {
  (void)state;
  struct config config;
  config_init(&config);
  char *path = mem_format("%s/config.lua", scripts_dir);
  assert_int_equal(mkfifo(path, 0600), 0);
  char *error = config_file_apply(&config, scripts_dir, config.handler_time_ms);
  assert_non_null(strstr(error, "/config.lua: it is a FIFO, not a file"));
  free(error);
  free(path);
  config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_does_not_end_is_ended, open_dir, close_dir),
      cmocka_unit_test_setup_teardown(skips_a_byte_order_mark, open_dir, close_dir),
      cmocka_unit_test_setup_teardown(a_fifo_is_not_waited_for, open_dir, close_dir),
      cmocka_unit_test_setup_teardown(sets_what_it_returns, open_dir, close_dir),
      cmocka_unit_test_setup_teardown(says_what_is_wrong_and_where, open_dir, close_dir),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
