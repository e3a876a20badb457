// Settings: every row of the table takes its own default and limits, layers win
// in their order, and wrong text is refused by name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/config.h"
#include "net/fake_log.h"

static struct config config;

static int start(void **state) {
  (void)state;
  config_init(&config);
  return 0;
}

static int end(void **state) {
  (void)state;
  config_free(&config);
  return 0;
}

static const struct config_key *key_of(const char *name) {
  const struct config_key *key = config_key_find(name, strlen(name));
  if (key == NULL) fail_msg("no key %s", name);
  return key;
}

static void set(const char *name, enum config_layer layer, const char *text) {
  char *error = config_set(&config, key_of(name), layer, text);
  if (error != NULL) fail_msg("%s = %s: %s", name, text, error);
}

static void assert_refused(const char *name, const char *text, const char *part) {
  char *error = config_set(&config, key_of(name), CONFIG_FLAG, text);
  if (error == NULL) fail_msg("%s took \"%s\"", name, text);
  if (strstr(error, part) == NULL) fail_msg("\"%s\" does not say \"%s\"", error, part);
  free(error);
}

static void test_defaults(void **state) {
  (void)state;
  assert_int_equal(config.header_bytes, 32768);
  assert_int_equal(config.header_count, 100);
  assert_int_equal(config.url_bytes, 8192);
  assert_int_equal(config.body_bytes, 1048576);
  assert_int_equal(config.max_message_bytes, 1048576);
  assert_int_equal(config.header_timeout_ms, 10000);
  assert_int_equal(config.body_timeout_ms, 30000);
  assert_int_equal(config.idle_timeout_ms, 75000);
  assert_int_equal(config.heartbeat_ms, 30000);
  assert_int_equal(config.keepalive_ms, 15000);
  assert_int_equal(config.send_queue_bytes, 1048576);
  assert_int_equal(config.connections, 100000);
  assert_int_equal(config.vm_memory_bytes, 268435456);
  assert_int_equal(config.handler_time_ms, 1000);
  assert_true(config.workers >= 1);
  assert_false(config.dev);
  assert_int_equal(config.listen_count, 1);
  assert_string_equal(config.listen[0], "127.0.0.1:8080");
}

// Both ends of each number's range are taken, and nothing beyond them.
static void test_ranges_of_every_number(void **state) {
  (void)state;
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    if (key->type != CONFIG_COUNT && key->type != CONFIG_SECONDS) continue;
    char text[64];
    snprintf(text, sizeof text, "%.15g", key->min);
    set(key->name, CONFIG_FLAG, text);
    snprintf(text, sizeof text, "%.0f", key->max);
    set(key->name, CONFIG_FLAG, text);
    uint64_t value;
    memcpy(&value, (char *)&config + key->offset, sizeof value);
    assert_int_equal(value, (uint64_t)(key->type == CONFIG_SECONDS ? key->max * 1000 : key->max));
    snprintf(text, sizeof text, "%.0f", key->max + 1);
    assert_refused(key->name, text, "is not a number from");
    assert_refused(key->name, "-1", "\"-1\"");
  }
}

static void test_wrong_text_is_refused(void **state) {
  (void)state;
  static const char *const numbers[] = {"", "x", "5x", "0x10", "nan", "inf", "1e999", "1,5"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    assert_refused("body_bytes", numbers[i], "is not a number from");
  }
  assert_refused("body_bytes", "1.5", "whole number");
  assert_refused("dev", "yes", "true or false");
  assert_refused("log_level", "loud", "debug, info, warn or error");
  assert_refused("listen", "", "empty");
}

static void test_seconds_have_fractions(void **state) {
  (void)state;
  set("handler_time", CONFIG_FILE, "0.1");
  assert_int_equal(config.handler_time_ms, 100);
  set("handler_time", CONFIG_FILE, "1.001");  // 1000.9999 ms as a double
  assert_int_equal(config.handler_time_ms, 1001);
}

static void test_finds_keys_in_both_spellings(void **state) {
  (void)state;
  assert_ptr_equal(key_of("body-bytes"), key_of("body_bytes"));
  static const char *const none[] = {"", "body", "body_bytes_", "BODY_BYTES", "body bytes"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    assert_null(config_key_find(none[i], strlen(none[i])));
  }
}

static void test_later_layers_win(void **state) {
  (void)state;
  set("workers", CONFIG_ENVIRONMENT, "3");
  set("workers", CONFIG_FILE, "2");
  assert_int_equal(config.workers, 3);
  set("workers", CONFIG_FLAG, "4");
  set("workers", CONFIG_ENVIRONMENT, "5");
  assert_int_equal(config.workers, 4);
  set("log_level", CONFIG_FILE, "warn");
  set("log_level", CONFIG_FLAG, "error");
  assert_string_equal(config.log_level, "error");
}

static void test_listen_collects_within_a_layer(void **state) {
  (void)state;
  set("listen", CONFIG_FILE, "127.0.0.1:1");
  assert_int_equal(config.listen_count, 1);
  set("listen", CONFIG_FLAG, "[::1]:2");
  set("listen", CONFIG_FLAG, "unix:x");
  set("listen", CONFIG_FILE, "127.0.0.1:3");
  assert_int_equal(config.listen_count, 2);
  assert_string_equal(config.listen[0], "[::1]:2");
  assert_string_equal(config.listen[1], "unix:x");
  for (int i = 2; i < CONFIG_LISTEN_MAX; i++) set("listen", CONFIG_FLAG, "127.0.0.1:0");
  assert_refused("listen", "127.0.0.1:0", "more than");
}

static void test_environment(void **state) {
  (void)state;
  char *good[] = {
      "TIDEGATE_BODY_BYTES=77", "PATH=/bin",         "TIDEGATE_", "TIDEGATE_OF_A_SCRIPT=x",
      "TIDEGATE_DEV=1",         "TIDEGATE_NO_VALUE", NULL};
  assert_null(config_apply_environment(&config, good));
  assert_int_equal(config.body_bytes, 77);
  assert_true(config.dev);
  char *bad[] = {"TIDEGATE_WORKERS=0", NULL};
  char *error = config_apply_environment(&config, bad);
  assert_non_null(error);
  assert_non_null(strstr(error, "TIDEGATE_WORKERS"));
  free(error);
}

static void test_an_empty_variable_counts_as_unset(void **state) {
  (void)state;
  char *empty[] = {
      "TIDEGATE_WORKERS=", "TIDEGATE_LISTEN=", "TIDEGATE_LUA_PATH=", "TIDEGATE_DEV=", NULL};
  set("workers", CONFIG_FILE, "2");
  assert_null(config_apply_environment(&config, empty));
  assert_int_equal(config.workers, 2);
  assert_int_equal(config.listen_count, 1);
  assert_null(config.lua_path);
  assert_false(config.dev);
}

static void test_a_slip_is_near_its_key(void **state) {
  (void)state;
  assert_string_equal(config_key_nearest("wrokers"), "workers");
  assert_string_equal(config_key_nearest("max-mesage"), "max_message");
  assert_null(config_key_nearest("of_a_script"));
}

static void test_a_variable_that_is_no_setting_is_named(void **state) {
  (void)state;
  char *variables[] = {"TIDEGATE_WROKERS=3", "TIDEGATE_OF_A_SCRIPT=x",
                       "TIDEGATE_WORKERS=3", "TIDEGATE_MAX_MESAGE=",
                       "PATH=/bin",          NULL};
  fake_log_clear();
  config_warn_environment(variables);
  assert_string_equal(fake_log_text,
                      "warn environment variable TIDEGATE_WROKERS is no setting; did you mean "
                      "TIDEGATE_WORKERS\n"
                      "warn environment variable TIDEGATE_OF_A_SCRIPT is no setting\n");
}

// A text that differs from what config_init gives.
static const char *other_value(const struct config_key *key) {
  static char text[32];
  switch (key->type) {
    case CONFIG_BOOL:
      return "true";
    case CONFIG_TEXT:
      return "/some/where";
    case CONFIG_LISTEN:
      return "127.0.0.1:1";
    case CONFIG_CHOICE:
      return strcmp(key->name, "watch") == 0 ? "off" : "error";
    default:
      snprintf(text, sizeof text, "%.15g", key->max);
      return text;
  }
}

static void test_each_key_is_compared_alone(void **state) {
  (void)state;
  for (size_t i = 0; i < config_key_count; i++) {
    struct config other;
    config_init(&other);
    const struct config_key *changed = &config_keys[i];
    assert_int_equal(config_layer_of(&other, changed), CONFIG_DEFAULT);
    assert_null(config_set(&other, changed, CONFIG_FILE, other_value(changed)));
    assert_int_equal(config_layer_of(&other, changed), CONFIG_FILE);
    for (size_t k = 0; k < config_key_count; k++) {
      const struct config_key *key = &config_keys[k];
      if (config_is_same(&config, &other, key) != (key != changed))
        fail_msg("%s when %s has changed", key->name, changed->name);
    }
    config_free(&other);
  }
}

static void test_lists_of_addresses_are_the_same_in_order(void **state) {
  (void)state;
  struct config other;
  config_init(&other);
  const struct config_key *listen = key_of("listen");
  set("listen", CONFIG_FILE, "127.0.0.1:1");
  set("listen", CONFIG_FILE, "127.0.0.1:2");
  assert_null(config_set(&other, listen, CONFIG_FLAG, "127.0.0.1:1"));
  assert_false(config_is_same(&config, &other, listen));
  assert_null(config_set(&other, listen, CONFIG_FLAG, "127.0.0.1:2"));
  assert_true(config_is_same(&config, &other, listen));
  config_clear_listen(&other);
  assert_null(config_set(&other, listen, CONFIG_FLAG, "127.0.0.1:2"));
  assert_null(config_set(&other, listen, CONFIG_FLAG, "127.0.0.1:1"));
  assert_false(config_is_same(&config, &other, listen));
  config_free(&other);
}

#define config_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      config_test(test_defaults),
      config_test(test_ranges_of_every_number),
      config_test(test_wrong_text_is_refused),
      config_test(test_seconds_have_fractions),
      config_test(test_finds_keys_in_both_spellings),
      config_test(test_later_layers_win),
      config_test(test_listen_collects_within_a_layer),
      config_test(test_environment),
      config_test(test_an_empty_variable_counts_as_unset),
      config_test(test_a_slip_is_near_its_key),
      config_test(test_a_variable_that_is_no_setting_is_named),
      config_test(test_each_key_is_compared_alone),
      config_test(test_lists_of_addresses_are_the_same_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
