// Topic rules: which topics a pattern matches, and which rule wins.
#include "hub_fixture.h"
#include "hub/rules.h"

static void test_patterns(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *topic;
    bool matches;
  } rows[] = {
      {"chat", "chat", true},
      {"chat", "chats", false},
      {"chats", "chat", false},
      {"chat/*", "chat/a", true},
      {"chat/*", "chat/", true},
      {"chat/*", "chat", false},
      {"chat/*", "chat/a/b", false},
      {"chat/**", "chat/a/b", true},
      {"*", "abc", true},
      {"*", "a/b", false},
      {"**", "a/b/c", true},
      {"**", "x", true},
      {"*/b", "a/b", true},
      {"*/b", "a/a/b", false},
      {"**/b", "a/a/b", true},
      {"a*c", "abbbc", true},
      {"a*c", "abcbc", true},
      {"a*c", "ab/c", false},
      {"a**c", "ab/c", true},
      {"*a*b", "xaxab", true},
      {"*a*b", "xaxba", false},
      {"**/x/*", "a/x/b/x/c", true},
      {"**/x/*", "a/x/b", true},
      {"**/x/*", "a/x/b/c", false},
      {"*/x/**", "a/x/b/c", true},
      {"*/x/**", "a/b/x/c", false},
      {"a/*/c", "a//c", true},
      {"**a**b", "x/a/y/b", true},
      {"**a*b", "a/ab", true},
      {"**a*b", "ab/a/b", false},
      {"***", "a/b", true},
      {"", "a", false},
      {"a.c", "abc", false},
      {"[a]", "a", false},
      {"[a]", "[a]", true},
      {"*\xC3\xA9", "caf\xC3\xA9", true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    bool matches = rules_pattern_matches(slice_str(rows[i].pattern), slice_str(rows[i].topic));
    if (matches != rows[i].matches) fail_msg("%s against %s", rows[i].pattern, rows[i].topic);
  }
}

// Plain backtracking, exponential and obviously right.
static bool matches_slowly(const char *p, const char *t) {
  if (p[0] == '*') {
    bool is_double = p[1] == '*';
    const char *rest = p + (is_double ? 2 : 1);
    if (matches_slowly(rest, t)) return true;
    return *t != '\0' && (is_double || *t != '/') && matches_slowly(p, t + 1);
  }
  if (p[0] == '\0') return t[0] == '\0';
  return p[0] == t[0] && matches_slowly(p + 1, t + 1);
}

static void test_patterns_against_backtracking(void **state) {
  (void)state;
  srand(7);
  unsigned match_count = 0;
  for (int round = 0; round < 200000; round++) {
    char pattern[9] = "", topic[10] = "";
    int pattern_len = rand() % 9, topic_len = rand() % 10;
    for (int i = 0; i < pattern_len; i++) pattern[i] = "ab/**"[rand() % 5];
    for (int i = 0; i < topic_len; i++) topic[i] = "ab/"[rand() % 3];
    bool expected = matches_slowly(pattern, topic);
    match_count += expected;
    if (rules_pattern_matches(slice_str(pattern), slice_str(topic)) != expected) {
      fail_msg("%s against %s is not %d", pattern, topic, expected);
    }
  }
  assert_true(match_count > 1000);
}

static uint32_t history_of(const struct rules *rules, const char *topic) {
  return rules_find(rules, slice_str(topic))->history;
}

static void test_most_specific_wins(void **state) {
  (void)state;
  static const struct {
    const char *topic, *loser, *winner;
  } rows[] = {
      {"chat/lobby", "chat/*", "chat/lobby"},
      {"chat/lobby", "**", "chat/*"},
      {"chat/lobby", "chat/*", "*/lobby"},  // more literals
      {"chat/a", "chat/**", "chat/*"},      // as many literals
      {"aa", "**a", "*a*"},
      {"chat", "chat*", "chat"},
      {"ab", "a*b*", "a*b"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    for (int is_later = 0; is_later < 2; is_later++) {
      struct hub_rule given[2];
      given[is_later] = (struct hub_rule){.pattern = rows[i].winner, .history = 1};
      given[!is_later] = (struct hub_rule){.pattern = rows[i].loser};
      struct rules *rules = rules_new(given, 2);
      if (history_of(rules, rows[i].topic) != 1) fail_msg("%s is to win", rows[i].winner);
      rules_free(rules);
    }
  }
}

static void test_the_later_wins_a_draw(void **state) {
  (void)state;
  const struct hub_rule given[] = {
      {.pattern = "**", .history = 1},
      {.pattern = "news/a*", .history = 6},
      {.pattern = "news/*a", .history = 7},
  };
  struct rules *rules = rules_new(given, sizeof given / sizeof given[0]);
  assert_int_equal(history_of(rules, "x"), 1);
  assert_int_equal(history_of(rules, "news/aa"), 7);
  assert_int_equal(history_of(rules, "news/ab"), 6);
  rules_free(rules);
}

static void test_defaults(void **state) {
  (void)state;
  const struct hub_rule given = {.pattern = "a", .history = 1};
  struct rules *rules = rules_new(&given, 1);
  const char *topics[] = {"a", "unmatched"};
  for (int i = 0; i < 2; i++) {
    const struct hub_rule *rule = rules_find(rules, slice_str(topics[i]));
    assert_int_equal(rule->bytes, HUB_BYTES);
    assert_int_equal(rule->lag, HUB_LAG_SKIP);
    assert_int_equal(rule->limit, 0);
  }
  rules_free(rules);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_patterns),
      cmocka_unit_test(test_patterns_against_backtracking),
      cmocka_unit_test(test_most_specific_wins),
      cmocka_unit_test(test_the_later_wins_a_draw),
      cmocka_unit_test(test_defaults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
