// Topic patterns against a naive matcher, the choice among rules, and message ids.
#include "base/utf8.h"
#include "fuzz.h"
#include "hub/hub.h"
#include "hub/rules.h"

enum { PATTERN_MAX = 14, TOPIC_MAX = 20 };  // what the naive matcher can bear

static struct slice tail(struct slice text, size_t from) {
  return slice_of(text.ptr + from, text.len - from);
}

// A wildcard swallows nothing, or one more byte; `*` no '/'.
static bool matches_naively(struct slice pattern, struct slice topic) {
  if (pattern.len == 0) return topic.len == 0;
  bool is_double = pattern.len > 1 && pattern.ptr[0] == '*' && pattern.ptr[1] == '*';
  if (pattern.ptr[0] != '*') {
    return topic.len > 0 && pattern.ptr[0] == topic.ptr[0] &&
           matches_naively(tail(pattern, 1), tail(topic, 1));
  }
  if (matches_naively(tail(pattern, is_double ? 2 : 1), topic)) return true;
  return topic.len > 0 && (is_double || topic.ptr[0] != '/') &&
         matches_naively(pattern, tail(topic, 1));
}

static struct slice take_short(struct slice *in, size_t most) {
  struct slice field = fuzz_take_field(in);
  return slice_of(field.ptr, field.len < most ? field.len : most);
}

// Greater for the more specific: more literal characters, then fewer `**`, then fewer `*`.
static int rate(struct slice pattern) {
  int literals = 0, doubles = 0, singles = 0;
  for (size_t i = 0; i < pattern.len; i++) {
    if (pattern.ptr[i] != '*') {
      literals++;
    } else if (i + 1 < pattern.len && pattern.ptr[i + 1] == '*') {
      doubles++;
      i++;
    } else {
      singles++;
    }
  }
  return literals * 10000 - doubles * 100 - singles;
}

// Of two rules: the more specific, then the later.
static void check_rules(struct slice topic, struct slice first, struct slice second) {
  char names[2][PATTERN_MAX + 1] = {{0}};
  memcpy(names[0], first.ptr, first.len);
  memcpy(names[1], second.ptr, second.len);
  struct hub_rule given[] = {{.pattern = names[0], .history = 1},
                             {.pattern = names[1], .history = 2}};
  struct rules *rules = rules_new(given, 2);
  bool has_first = rules_pattern_matches(slice_str(names[0]), topic);
  bool has_second = rules_pattern_matches(slice_str(names[1]), topic);
  if (has_first && has_second) {
    has_second = rate(slice_str(names[1])) >= rate(slice_str(names[0]));
  }
  uint32_t expected = has_second ? 2 : has_first ? 1 : 0;
  assert_int_equal(rules_find(rules, topic)->history, expected);
  rules_free(rules);
}

// One spelling for one id: what is parsed is what would be written.
static void check_id(struct slice digits) {
  static struct hub *hub;
  if (hub == NULL) hub = hub_new(NULL, 0);
  struct buf id = {0};
  buf_printf(&id, "%s-", hub_epoch(hub));
  buf_append_slice(&id, digits);
  uint64_t seq;
  if (hub_id_parse(hub, buf_slice(&id), &seq)) {
    char written[HUB_ID_MAX];
    hub_id_format(hub, seq, written);
    fuzz_expect_slice(buf_slice(&id), slice_str(written), "id");
  }
  buf_free(&id);
}

static void check_name(struct slice topic) {
  bool is_good = topic.len >= 1 && topic.len <= HUB_TOPIC_MAX && utf8_is_valid(topic);
  for (size_t i = 0; i < topic.len; i++) {
    unsigned char c = (unsigned char)topic.ptr[i];
    is_good = is_good && c >= ' ' && c != 0x7F;
  }
  if (!is_good) assert_false(hub_pattern_is_valid(topic));
  bool is_topic = hub_pattern_is_valid(topic) && memchr(topic.ptr, '*', topic.len) == NULL;
  assert_int_equal(hub_topic_check(topic) == HUB_OK, is_topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  struct slice topic = take_short(&in, TOPIC_MAX);
  struct slice first = take_short(&in, PATTERN_MAX), second = take_short(&in, PATTERN_MAX);
  assert_int_equal(rules_pattern_matches(first, topic), matches_naively(first, topic));
  assert_int_equal(rules_pattern_matches(second, topic), matches_naively(second, topic));
  check_rules(topic, first, second);
  check_id(topic);
  check_name(fuzz_input(data, size));
  fuzz_release();
  return 0;
}
