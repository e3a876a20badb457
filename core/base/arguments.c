// The command line: see arguments.h.
#include "base/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"

enum { FLAG_BYTES = 64, HELP_COLUMN = 26 };

const char *const arguments_others[ARGUMENTS_OTHERS] = {"check", "version", "help"};

// ---- help ------------------------------------------------------------------

static void write_dashes(char *name) {
  for (; *name != '\0' && *name != ' '; name++) {
    if (*name == '_') *name = '-';
  }
}

static void print_help(const char *usage) {
  printf(
      "%s\nflags (each is also a key of DIR/config.lua, with underscores, and a variable "
      "TIDEGATE_<KEY>):\n",
      usage);
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    char flag[FLAG_BYTES];
    snprintf(flag, sizeof flag, "--%s %s", key->name, key->argument != NULL ? key->argument : "");
    write_dashes(flag);
    bool is_long = strlen(flag) > HELP_COLUMN;
    printf("  %-*s%s%*s %s", HELP_COLUMN, flag, is_long ? "\n  " : "", is_long ? HELP_COLUMN : 0,
           "", key->help);
    if (key->preset != NULL && key->type != CONFIG_BOOL) printf(" (%s)", key->preset);
    printf("\n");
  }
  printf("  --check, --version, --help\n");
}

void arguments_print(const struct arguments *args, const char *usage) {
  if (args->asks == ARGUMENTS_HELP) print_help(usage);
  if (args->asks == ARGUMENTS_VERSION) printf("tidegate %s\n", TIDEGATE_VERSION);
}

// ---- flags -----------------------------------------------------------------

static bool is_other(const char *flag, size_t len) {
  for (size_t i = 0; i < ARGUMENTS_OTHERS; i++) {
    const char *name = arguments_others[i];
    if (len == strlen(name) + 2 && strncmp(flag, "--", 2) == 0 &&
        strncmp(flag + 2, name, len - 2) == 0)
      return true;
  }
  return false;
}

static char *unknown_flag(const char *flag, size_t len) {
  if (is_other(flag, len)) return mem_format("%.*s takes no value", (int)len, flag);
  const char *names[CONFIG_KEYS_MAX + ARGUMENTS_OTHERS];
  size_t count = 0;
  for (; count < config_key_count; count++) names[count] = config_keys[count].name;
  for (size_t i = 0; i < ARGUMENTS_OTHERS; i++) names[count++] = arguments_others[i];
  char *given = mem_strndup(flag, len);
  const char *meant = nearest_name(given + strspn(given, "-"), names, count);
  char *error;
  if (meant != NULL) {
    char near[FLAG_BYTES];
    snprintf(near, sizeof near, "%s", meant);
    write_dashes(near);
    error = mem_format("unknown flag %s; did you mean --%s?", given, near);
  } else {
    error = mem_format("unknown flag %s", given);
  }
  free(given);
  return error;
}

// The key of a flag of `len` bytes, written with dashes only.
static const struct config_key *find_key(const char *flag, size_t len) {
  if (len <= 2 || strncmp(flag, "--", 2) != 0 || memchr(flag, '_', len) != NULL) return NULL;
  return config_key_find(flag + 2, len - 2);
}

// Argument *i is a flag of a setting; its value may be the next argument.
static char *parse_setting(struct arguments *out, int argc, char **argv, int *i) {
  const char *flag = argv[*i];
  const char *equals = strchr(flag, '=');
  size_t len = equals != NULL ? (size_t)(equals - flag) : strlen(flag);
  const struct config_key *key = find_key(flag, len);
  if (key == NULL) return unknown_flag(flag, len);
  const char *value = equals != NULL ? equals + 1 : NULL;
  if (value == NULL && key->type == CONFIG_BOOL) value = "true";
  if (value == NULL) {
    if (*i + 1 >= argc) return mem_format("%s needs a value", flag);
    value = argv[++*i];
  }
  char *error = config_set(&out->config, key, CONFIG_FLAG, value);
  if (error == NULL) return NULL;
  char *named = mem_format("%.*s: %s", (int)len, flag, error);
  free(error);
  return named;
}

static char *parse_word(struct arguments *out, const char *word) {
  if (out->dir == NULL)
    out->dir = word;
  else if (out->second == NULL)
    out->second = word;
  return NULL;
}

char *arguments_parse(struct arguments *out, int argc, char **argv) {
  char *error = NULL;
  for (int i = 1; i < argc && error == NULL && out->asks == ARGUMENTS_RUN; i++) {
    if (strcmp(argv[i], "--help") == 0)
      out->asks = ARGUMENTS_HELP;
    else if (strcmp(argv[i], "--version") == 0)
      out->asks = ARGUMENTS_VERSION;
    else if (strcmp(argv[i], "--check") == 0)
      out->checks = true;
    else
      error = argv[i][0] == '-' ? parse_setting(out, argc, argv, &i) : parse_word(out, argv[i]);
  }
  return error;
}
