// Settings: a text that is refused changes nothing, one that is taken is within
// the bounds of its key, whoever sets it.
#include "base/config.h"

#include "base/mem.h"
#include "fuzz.h"

static uint64_t number_of(const struct config *config, const struct config_key *key) {
  uint64_t value;
  memcpy(&value, (const char *)config + key->offset, sizeof value);
  return value;
}

static bool is_number(const struct config_key *key) {
  return key->type == CONFIG_COUNT || key->type == CONFIG_SECONDS;
}

static void check_key(const struct config_key *key, const char *text) {
  struct config config;
  config_init(&config);
  uint64_t before = is_number(key) ? number_of(&config, key) : 0;
  char *error = config_set(&config, key, CONFIG_FILE, text);
  if (is_number(key)) {
    double unit = key->type == CONFIG_SECONDS ? 1000 : 1;
    double now = (double)number_of(&config, key) / unit;
    if (error != NULL) assert_int_equal(number_of(&config, key), before);
    if (error == NULL) assert_true(now >= key->min - 0.001 && now <= key->max + 0.001);
  }
  if (key->type == CONFIG_LISTEN) assert_true(config.listen_count <= CONFIG_LISTEN_MAX);
  free(error);
  config_free(&config);
}

// The whole of the input as one variable.
static void check_environment(const char *name, const char *text) {
  struct config config;
  config_init(&config);
  char *entry = mem_format("TIDEGATE_%s%s", name, text);
  char *const environment[] = {entry, NULL};
  char *error = config_apply_environment(&config, environment);
  free(error);
  free(entry);
  config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  const struct config_key *key = &config_keys[fuzz_take_byte(&in) % config_key_count];
  char *text = mem_strndup(in.ptr, in.len), *assigned = mem_format("=%s", text);
  check_key(key, text);
  check_environment("", text);
  check_environment(key->name, assigned);
  const struct config_key *found = config_key_find(text, strlen(text));
  if (found != NULL) assert_int_equal(strlen(found->name), strlen(text));
  free(assigned);
  free(text);
  return 0;
}
