// A config.lua that changes under a running server: what the log says of it.
#include "script/reload/config_change.h"

#include "net/fake_log.h"
#include "script/scripts.h"

enum { ROUNDS = 60000 };  // of a millisecond; only a failure takes so many

static uv_loop_t loop;
static struct config running;
static struct config_change *change;

static void set(const char *key, enum config_layer layer, const char *value) {
  assert_null(config_set(&running, config_key_find(key, strlen(key)), layer, value));
}

// With a file, a flag and a variable.
static int start(void **state) {
  (void)state;
  scripts_open();
  fake_log_clear();
  scripts_write("config.lua", "return { grace = 5 }");
  config_init(&running);
  set("grace", CONFIG_FILE, "5");
  set("workers", CONFIG_FLAG, "3");
  set("body_bytes", CONFIG_ENVIRONMENT, "77");
  uv_loop_init(&loop);
  change = config_change_new(&loop, scripts_dir, &running);
  return 0;
}

static int end(void **state) {
  (void)state;
  config_change_free(change);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  config_free(&running);
  scripts_close();
  return 0;
}

static void run_until_logged(const char *text) {
  for (int i = 0; i < ROUNDS && !fake_log_has(text); i++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(1000);
  }
  if (!fake_log_has(text)) fail_msg("no \"%s\" in %s", text, fake_log_text);
}

// The one line that the log gets, without the path.
static void expect_told(const char *content, const char *text) {
  fake_log_clear();
  scripts_write("config.lua", content);
  config_change_look(change);
  run_until_logged(text);
  char *newline = strchr(fake_log_text, '\n');
  if (newline == NULL || newline[1] != '\0') fail_msg("%s: %s", content, fake_log_text);
}

static void says_what_needs_a_restart(void **state) {
  (void)state;
  expect_told("return { grace = 6 }",
              "config.lua: settings are read at the start: restart the server to change grace\n");
  // As it was, but for a comment.
  expect_told("return { grace = 5 } --", "config.lua has changed, but no setting in it\n");
  expect_told("return { dev = true, heartbeat = 1 }",
              "restart the server to change grace, dev, heartbeat\n");
}

static void says_what_is_overridden(void **state) {
  (void)state;
  expect_told("return { grace = 5, workers = 7, body_bytes = 78 }",
              "config.lua: overridden, also after a restart: workers (by a flag), body_bytes (by "
              "the environment)\n");
  // What the file does not say of them is nothing new.
  expect_told("return { grace = 5, workers = 3 }", "has changed, but no setting in it\n");
}

static void says_what_is_wrong(void **state) {
  (void)state;
  expect_told("return { workers = 'many' }", "the server keeps the settings that it has\n");
  assert_true(fake_log_has("config.lua: workers: "));
  expect_told("return {", "config.lua:1: unexpected symbol");
}

// The thread that runs the file has nothing to say.
static void is_silent_while_the_file_is_the_same(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) config_change_look(change);
  char *path = mem_format("%s/config.lua", scripts_dir);
  assert_int_equal(unlink(path), 0);
  free(path);
  config_change_look(change);  // grace is that of no file now
  config_change_look(change);
  run_until_logged("restart the server to change grace\n");
  assert_string_equal(strchr(fake_log_text, '\n'), "\n");
}

// Of what changes while the file runs, the last is told, and it alone.
static void tells_the_newest_alone(void **state) {
  (void)state;
  scripts_write("config.lua", "return { grace = 6 }");
  config_change_look(change);
  scripts_write("config.lua", "return { heartbeat = 1 }");
  config_change_look(change);
  scripts_write("config.lua", "return { grace = 5, keepalive = 1 }");
  config_change_look(change);
  run_until_logged("restart the server to change keepalive\n");
  assert_string_equal(strchr(fake_log_text, '\n'), "\n");
}

static void may_end_while_the_file_runs(void **state) {
  (void)state;
  scripts_write("config.lua", "while true do end");
  config_change_look(change);
}

#define change_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      change_test(says_what_needs_a_restart), change_test(says_what_is_overridden),
      change_test(says_what_is_wrong),        change_test(is_silent_while_the_file_is_the_same),
      change_test(tells_the_newest_alone),    change_test(may_end_while_the_file_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
