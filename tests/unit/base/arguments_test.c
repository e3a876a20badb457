// The command line: what flags set, what words are, and what errors say.
#include "base/arguments.h"

#include "base/child.h"

enum { WORDS_MAX = 8 };

static struct arguments args;

static int start(void **state) {
  (void)state;
  args = (struct arguments){0};
  config_init(&args.config);
  return 0;
}

static int end(void **state) {
  (void)state;
  config_free(&args.config);
  return 0;
}

// Parses words behind the program's name, the last one followed by NULL.
static char *parse(const char *const *words) {
  char *argv[WORDS_MAX] = {(char[]){"tidegate"}};
  int argc = 1;
  while (words[argc - 1] != NULL) argv[argc] = (char *)(uintptr_t)words[argc - 1], argc++;
  return arguments_parse(&args, argc, argv);
}

#define WORDS(...) \
  (const char *const[]) { __VA_ARGS__, NULL }

static void test_flags_and_words(void **state) {
  (void)state;
  assert_null(parse(WORDS("--workers", "3", "app", "--max-message=65536", "--dev", "--check")));
  assert_string_equal(args.dir, "app");
  assert_null(args.second);
  assert_true(args.checks && args.config.dev);
  assert_int_equal(args.asks, ARGUMENTS_RUN);
  assert_int_equal(args.config.workers, 3);
  assert_int_equal(args.config.max_message_bytes, 65536);
}

static void test_two_words(void **state) {
  (void)state;
  assert_null(parse(WORDS("a", "b", "c")));
  assert_string_equal(args.dir, "a");
  assert_string_equal(args.second, "b");
}

static void test_help_and_version_end_the_line(void **state) {
  (void)state;
  assert_null(parse(WORDS("app", "--help", "--nonsense")));
  assert_int_equal(args.asks, ARGUMENTS_HELP);
  args.asks = ARGUMENTS_RUN;
  assert_null(parse(WORDS("--version", "--workers")));
  assert_int_equal(args.asks, ARGUMENTS_VERSION);
}

static void test_errors_name_the_flag(void **state) {
  (void)state;
  static const struct {
    const char *words[WORDS_MAX];
    const char *error;
  } cases[] = {
      {{"--nonsense"}, "unknown flag --nonsense"},
      {{"--wokers", "3"}, "unknown flag --wokers; did you mean --workers?"},
      {{"--worker=3"}, "unknown flag --worker; did you mean --workers?"},
      {{"--max_message", "3"}, "unknown flag --max_message; did you mean --max-message?"},
      {{"-workers", "3"}, "unknown flag -workers; did you mean --workers?"},
      {{"--chekc"}, "unknown flag --chekc; did you mean --check?"},
      {{"--Version"}, "unknown flag --Version; did you mean --version?"},
      {{"-help"}, "unknown flag -help; did you mean --help?"},
      {{"--help=1"}, "--help takes no value"},
      {{"--check=true"}, "--check takes no value"},
      {{"-x"}, "unknown flag -x"},
      {{"--"}, "unknown flag --"},
      {{"-"}, "unknown flag -"},
      {{"app", "--workers"}, "--workers needs a value"},
      {{"--workers", "many"}, "--workers: \"many\" is not a number from 1 to 64"},
      {{"--workers=-1"}, "--workers: \"-1\" is not a number from 1 to 64"},
      {{"--workers=0"}, "--workers: \"0\" is not a number from 1 to 64"},
      {{"--workers=100000"}, "--workers: \"100000\" is not a number from 1 to 64"},
      {{"--workers="}, "--workers: \"\" is not a number from 1 to 64"},
      {{"--dev=yes"}, "--dev: \"yes\" is not true or false"},
      {{"--listen="}, "--listen: an empty address"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *error = parse(cases[i].words);
    assert_non_null(error);
    assert_string_equal(error, cases[i].error);
    free(error);
  }
}

// ---- what is printed ---------------------------------------------------------

static struct child child;

static void print(void) { arguments_print(&args, "usage: tidegate DIR\n"); }

// The first line of the text that begins so, up to its end, or NULL.
static const char *line_of(const char *start) {
  static char line[512];
  const char *found = strstr(child.text, start);
  if (found == NULL) return NULL;
  snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\n"), found);
  return line;
}

static void test_help_lists_every_flag(void **state) {
  (void)state;
  args.asks = ARGUMENTS_HELP;
  child_run(&child, print);
  child_expect_exit(&child, 0);
  assert_memory_equal(child.text, "usage: tidegate DIR\n", strlen("usage: tidegate DIR\n"));
  for (size_t i = 0; i < config_key_count; i++) {
    char flag[64];
    snprintf(flag, sizeof flag, "\n  --%s ", config_keys[i].name);
    for (char *at = flag + 5; *at != '\0'; at++) *at = *at == '_' ? '-' : *at;
    if (line_of(flag) == NULL) fail_msg("no%s in\n%s", flag, child.text);
    assert_non_null(strstr(child.text, config_keys[i].help));
  }
  assert_string_equal(line_of("--body-bytes"), "--body-bytes BYTES         request body (1048576)");
  assert_non_null(line_of("  --check, --version, --help"));
}

static void test_version_and_nothing(void **state) {
  (void)state;
  args.asks = ARGUMENTS_VERSION;
  child_run(&child, print);
  assert_string_equal(child.text, "tidegate " TIDEGATE_VERSION "\n");
  args.asks = ARGUMENTS_RUN;
  child_run(&child, print);
  assert_string_equal(child.text, "");
}

#define arguments_test(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      arguments_test(test_flags_and_words),
      arguments_test(test_two_words),
      arguments_test(test_help_and_version_end_the_line),
      arguments_test(test_errors_name_the_flag),
      arguments_test(test_help_lists_every_flag),
      arguments_test(test_version_and_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
