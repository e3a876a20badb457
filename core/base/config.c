// The table of settings and the one loop that reads it: see config.h.
#include "base/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/processors.h"

#define FIELD(name) offsetof(struct config, name)

#define BYTES_MAX (1024.0 * 1024 * 1024)
#define DAY 86400.0

enum { WORKERS_MAX = 64 };

const struct config_key config_keys[] = {
    {"listen", CONFIG_LISTEN, FIELD(listen), 0, 0, NULL, "ADDRESS",
     "where to listen: HOST:PORT, [IPv6]:PORT or unix:PATH; may be repeated (127.0.0.1:8080)"},
    {"workers", CONFIG_COUNT, FIELD(workers), 1, WORKERS_MAX, NULL, "N",
     "worker threads (one per processor that it may use)"},
    {"grace", CONFIG_SECONDS, FIELD(grace_ms), 0, DAY, "10", "SECONDS",
     "time to finish when stopping"},
    {"dev", CONFIG_BOOL, FIELD(dev), 0, 0, "false", NULL,
     "show handler errors to clients, and log calls that fail"},
    {"lua_path", CONFIG_TEXT, FIELD(lua_path), 0, 0, NULL, "DIR",
     "load the framework from DIR instead of the binary"},
    {"log_level", CONFIG_CHOICE, FIELD(log_level), 0, 0, "info", "debug|info|warn|error",
     "what is logged: this and worse"},
    {"watch", CONFIG_CHOICE, FIELD(watch), 0, 0, "auto", "auto|poll|off",
     "how changed scripts are noticed: as the system reports them, by looking, or not"},
    {"watch_interval", CONFIG_SECONDS, FIELD(watch_interval_ms), 0.05, DAY, "1", "SECONDS",
     "between looks for changed scripts that the system does not report"},
    {"header_bytes", CONFIG_COUNT, FIELD(header_bytes), 256, 1048576, "32768", "BYTES",
     "request line and headers"},
    {"header_count", CONFIG_COUNT, FIELD(header_count), 1, 10000, "100", "N",
     "headers of a request"},
    {"url_bytes", CONFIG_COUNT, FIELD(url_bytes), 16, 1048576, "8192", "BYTES", "request target"},
    {"body_bytes", CONFIG_COUNT, FIELD(body_bytes), 0, BYTES_MAX, "1048576", "BYTES",
     "request body"},
    {"header_timeout", CONFIG_SECONDS, FIELD(header_timeout_ms), 0.01, DAY, "10", "SECONDS",
     "to receive a request head"},
    {"body_timeout", CONFIG_SECONDS, FIELD(body_timeout_ms), 0.01, DAY, "30", "SECONDS",
     "to receive a request body"},
    {"idle_timeout", CONFIG_SECONDS, FIELD(idle_timeout_ms), 0.01, DAY, "75", "SECONDS",
     "between requests"},
    {"write_timeout", CONFIG_SECONDS, FIELD(write_timeout_ms), 0.01, DAY, "30", "SECONDS",
     "without progress while output waits for the client"},
    {"max_message", CONFIG_COUNT, FIELD(max_message_bytes), 1, BYTES_MAX, "1048576", "BYTES",
     "WebSocket message"},
    {"message_memory", CONFIG_COUNT, FIELD(message_memory_bytes), 0, 1024 * BYTES_MAX, "268435456",
     "BYTES", "what a worker's clients have sent that is not complete, or waits"},
    {"heartbeat", CONFIG_SECONDS, FIELD(heartbeat_ms), 0, DAY, "30", "SECONDS",
     "between WebSocket pings; 0: none"},
    {"keepalive", CONFIG_SECONDS, FIELD(keepalive_ms), 0, DAY, "15", "SECONDS",
     "between SSE comments; 0: none"},
    {"send_queue", CONFIG_COUNT, FIELD(send_queue_bytes), 1024, BYTES_MAX, "1048576", "BYTES",
     "direct sends that wait on one connection"},
    {"output_memory", CONFIG_COUNT, FIELD(output_memory_bytes), 65536, 1024 * BYTES_MAX,
     "268435456", "BYTES", "output that a worker's clients have not taken"},
    {"compress_memory", CONFIG_COUNT, FIELD(compress_memory_bytes), 0, 1024 * BYTES_MAX, "67108864",
     "BYTES", "compression contexts that a worker's WebSockets keep"},
    {"connections", CONFIG_COUNT, FIELD(connections), 1, 10000000, "100000", "N",
     "connections per worker"},
    {"max_topics", CONFIG_COUNT, FIELD(max_topics), 1, 10000000, "128", "N",
     "topics that a connection may join"},
    {"max_subscriptions", CONFIG_COUNT, FIELD(max_subscriptions), 1, 100000000, "1000000", "N",
     "topics joined on a worker"},
    {"hub_max_bytes", CONFIG_COUNT, FIELD(hub_max_bytes), 65536, 1024 * BYTES_MAX, "268435456",
     "BYTES", "messages and members of all topics"},
    {"vm_memory", CONFIG_COUNT, FIELD(vm_memory_bytes), 4194304, 1024 * BYTES_MAX, "268435456",
     "BYTES", "memory of a worker's scripts"},
    {"handler_time", CONFIG_SECONDS, FIELD(handler_time_ms), 0.01, DAY, "1", "SECONDS",
     "CPU time of a handler between two waits"},
    {"turn_time", CONFIG_SECONDS, FIELD(turn_time_ms), 0, 1, "0.002", "SECONDS",
     "that one connection may keep others waiting; then they have their turns"},
    {"slow_turn", CONFIG_SECONDS, FIELD(slow_turn_ms), 0, DAY, "0.1", "SECONDS",
     "a turn of a worker that takes longer is logged; 0: none"},
};
const size_t config_key_count = sizeof config_keys / sizeof *config_keys;

_Static_assert(sizeof config_keys / sizeof *config_keys <= CONFIG_KEYS_MAX,
               "struct config has a layer per key");

const struct config_key *config_key_find(const char *name, size_t len) {
  for (size_t i = 0; i < config_key_count; i++) {
    const char *key = config_keys[i].name;
    if (strlen(key) != len) continue;
    size_t at = 0;
    while (at < len && (key[at] == name[at] || (key[at] == '_' && name[at] == '-'))) at++;
    if (at == len) return &config_keys[i];
  }
  return NULL;
}

static char *set_number(void *field, const struct config_key *key, const char *text) {
  char *end;
  double value = strtod(text, &end);
  bool is_number = end != text && *end == '\0' && value == value;
  if (!is_number || value < key->min || value > key->max || strpbrk(text, "xXnN") != NULL) {
    return mem_format("\"%s\" is not a number from %.15g to %.15g", text, key->min, key->max);
  }
  if (key->type == CONFIG_COUNT && value != (double)(uint64_t)value) {
    return mem_format("\"%s\" is not a whole number", text);
  }
  *(uint64_t *)field = (uint64_t)(key->type == CONFIG_SECONDS ? value * 1000 + 0.5 : value);
  return NULL;
}

static char *set_bool(bool *field, const char *text) {
  if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
    *field = true;
  else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
    *field = false;
  else
    return mem_format("\"%s\" is not true or false", text);
  return NULL;
}

static char *set_text(char **field, const char *text) {
  free(*field);
  *field = mem_strdup(text);
  return NULL;
}

// "a|b|c" -> "a, b or c".
static void append_choices(struct buf *out, const char *choices) {
  for (const char *at = choices; *at != '\0'; at++) {
    bool is_last = strchr(at, '|') == strrchr(at, '|');
    if (*at == '|')
      buf_append_str(out, is_last ? " or " : ", ");
    else
      buf_append_char(out, *at);
  }
}

static char *set_choice(char **field, const struct config_key *key, const char *text) {
  struct slice rest = slice_str(key->argument), choice;
  bool has_more;
  do {
    has_more = slice_split(&rest, '|', &choice);
    if (slice_equal(choice, slice_str(text))) return set_text(field, text);
  } while (has_more);
  struct buf error = {0};
  buf_printf(&error, "\"%s\" is not ", text);
  append_choices(&error, key->argument);
  buf_append_char(&error, '\0');
  return error.data;
}

void config_clear_listen(struct config *config) {
  while (config->listen_count > 0) free(config->listen[--config->listen_count]);
}

static char *add_listen(struct config *config, const char *text) {
  if (text[0] == '\0') return mem_format("an empty address");
  if (config->listen_count == CONFIG_LISTEN_MAX)
    return mem_format("more than %d addresses", CONFIG_LISTEN_MAX);
  config->listen[config->listen_count++] = mem_strdup(text);
  return NULL;
}

char *config_set(struct config *config, const struct config_key *key, enum config_layer layer,
                 const char *text) {
  uint8_t *current = &config->layers[key - config_keys];
  if (layer < (enum config_layer) * current) return NULL;
  void *field = (char *)config + key->offset;
  if (key->type == CONFIG_LISTEN && layer > (enum config_layer) * current)
    config_clear_listen(config);
  *current = (uint8_t)layer;
  switch (key->type) {
    case CONFIG_COUNT:
    case CONFIG_SECONDS:
      return set_number(field, key, text);
    case CONFIG_BOOL:
      return set_bool(field, text);
    case CONFIG_TEXT:
      return set_text(field, text);
    case CONFIG_CHOICE:
      return set_choice(field, key, text);
    case CONFIG_LISTEN:
      return add_listen(config, text);
  }
  return NULL;
}

void config_init(struct config *config) {
  *config = (struct config){0};
  for (size_t i = 0; i < config_key_count; i++) {
    if (config_keys[i].preset != NULL)
      config_set(config, &config_keys[i], CONFIG_DEFAULT, config_keys[i].preset);
  }
  unsigned processors = processors_count("");
  config->workers = processors < WORKERS_MAX ? processors : WORKERS_MAX;
  config->listen[config->listen_count++] = mem_strdup("127.0.0.1:8080");
}

void config_free(struct config *config) {
  config_clear_listen(config);
  free(config->lua_path);
  free(config->log_level);
  free(config->watch);
}

static bool is_same_text(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same_listen(const struct config *a, const struct config *b) {
  if (a->listen_count != b->listen_count) return false;
  for (size_t i = 0; i < a->listen_count; i++) {
    if (strcmp(a->listen[i], b->listen[i]) != 0) return false;
  }
  return true;
}

bool config_is_same(const struct config *a, const struct config *b, const struct config_key *key) {
  const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;
  switch (key->type) {
    case CONFIG_LISTEN:
      return is_same_listen(a, b);
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
      return is_same_text(*(char *const *)x, *(char *const *)y);
    case CONFIG_BOOL:
      return *(const bool *)x == *(const bool *)y;
    default:
      return *(const uint64_t *)x == *(const uint64_t *)y;
  }
}

enum config_layer config_layer_of(const struct config *config, const struct config_key *key) {
  return (enum config_layer)config->layers[key - config_keys];
}

const char *config_key_nearest(const char *name) {
  const char *names[CONFIG_KEYS_MAX];
  for (size_t i = 0; i < config_key_count; i++) names[i] = config_keys[i].name;
  return nearest_name(name, names, config_key_count);
}

// ---- environment -------------------------------------------------------------

static const char prefix[] = "TIDEGATE_";
enum { PREFIX_BYTES = sizeof prefix - 1, NAME_BYTES = 64 };

// Whether an entry of the environment is one of ours that has a value: its key's name as
// far as it fits, and the value. An empty one counts as unset.
static bool is_ours(const char *entry, char name[NAME_BYTES], const char **value) {
  const char *equals = strchr(entry, '=');
  if (strncmp(entry, prefix, PREFIX_BYTES) != 0 || equals == NULL || equals[1] == '\0')
    return false;
  size_t len = (size_t)(equals - entry) - PREFIX_BYTES;
  if (len >= NAME_BYTES) len = NAME_BYTES - 1;
  for (size_t i = 0; i < len; i++) name[i] = (char)tolower((unsigned char)entry[PREFIX_BYTES + i]);
  name[len] = '\0';
  *value = equals + 1;
  return true;
}

char *config_apply_environment(struct config *config, char *const *variables) {
  char name[NAME_BYTES];
  const char *value;
  for (; *variables != NULL; variables++) {
    if (!is_ours(*variables, name, &value)) continue;
    const struct config_key *key = config_key_find(name, strlen(name));
    char *error = key != NULL ? config_set(config, key, CONFIG_ENVIRONMENT, value) : NULL;
    if (error == NULL) continue;
    char *named = mem_format("environment variable %.*s: %s", (int)(value - 1 - *variables),
                             *variables, error);
    free(error);
    return named;
  }
  return NULL;
}

void config_warn_environment(char *const *variables) {
  char name[NAME_BYTES], meant[NAME_BYTES] = "";
  const char *value;
  for (; *variables != NULL; variables++) {
    if (!is_ours(*variables, name, &value) || config_key_find(name, strlen(name)) != NULL) continue;
    const char *nearest = config_key_nearest(name);
    for (size_t i = 0; nearest != NULL && i <= strlen(nearest); i++)
      meant[i] = (char)toupper((unsigned char)nearest[i]);
    log_warn("environment variable %.*s is no setting%s%s%s", (int)(value - 1 - *variables),
             *variables, nearest != NULL ? "; did you mean " : "", nearest != NULL ? prefix : "",
             nearest != NULL ? meant : "");
  }
}
