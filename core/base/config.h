// Configuration: one table of keys that config.lua, TIDEGATE_* variables and
// command line flags all go through. A new setting is one field and one row.
#ifndef TIDEGATE_BASE_CONFIG_H
#define TIDEGATE_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONFIG_LISTEN_MAX = 16, CONFIG_KEYS_MAX = 40 };

// Where a value comes from; a later one wins over an earlier.
enum config_layer { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct config {
  char *listen[CONFIG_LISTEN_MAX];
  size_t listen_count;
  char *lua_path;
  char *log_level;
  char *watch;
  uint64_t watch_interval_ms;
  bool dev;
  uint64_t workers;
  uint64_t grace_ms;
  uint64_t header_bytes, header_count, url_bytes, body_bytes;
  uint64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
  uint64_t max_message_bytes;
  uint64_t heartbeat_ms, keepalive_ms;
  uint64_t send_queue_bytes;
  uint64_t message_memory_bytes;
  uint64_t output_memory_bytes;
  uint64_t compress_memory_bytes;
  uint64_t connections;
  uint64_t max_topics, max_subscriptions;
  uint64_t hub_max_bytes;
  uint64_t vm_memory_bytes;
  uint64_t handler_time_ms;
  uint64_t turn_time_ms, slow_turn_ms;
  uint8_t layers[CONFIG_KEYS_MAX];  // which layer set each key
};

enum config_type {
  CONFIG_COUNT,
  CONFIG_SECONDS,
  CONFIG_TEXT,
  CONFIG_CHOICE,  // one of the words of `argument`: "auto|poll|off"
  CONFIG_BOOL,
  CONFIG_LISTEN
};

struct config_key {
  const char *name;  // as in config.lua; flags write dashes for underscores
  enum config_type type;
  size_t offset;         // of the field; CONFIG_SECONDS fields are milliseconds
  double min, max;       // in the unit the user writes
  const char *preset;    // the default, as text; NULL: empty, or filled in at run time
  const char *argument;  // placeholder in --help
  const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

void config_init(struct config *config);  // all defaults; workers = processors_count
void config_free(struct config *config);

// Takes all addresses away (for --check, which listens nowhere).
void config_clear_listen(struct config *config);

// The key `name` (length `len`, underscores or dashes), NULL when there is none.
const struct config_key *config_key_find(const char *name, size_t len);

// Sets a key from text unless a later layer has set it already. A repeatable
// key collects within one layer. Returns NULL, or what is wrong with the text
// (the caller frees it), naming the value and what is allowed.
char *config_set(struct config *config, const struct config_key *key, enum config_layer layer,
                 const char *text);

// Whether both have the same value of the key; which layer it comes from.
bool config_is_same(const struct config *a, const struct config *b, const struct config_key *key);
enum config_layer config_layer_of(const struct config *config, const struct config_key *key);

// The key that `name` is most likely a slip of, or NULL.
const char *config_key_nearest(const char *name);

// Applies every TIDEGATE_<KEY> variable; an empty one counts as unset. NULL, or an error as
// config_set gives, that names the variable.
char *config_apply_environment(struct config *config, char *const *variables);

// Warns of every TIDEGATE_ variable that is no key's, and names the nearest.
void config_warn_environment(char *const *variables);

#endif
