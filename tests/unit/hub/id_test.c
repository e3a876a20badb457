// Ids and topic names: what is taken, and what a client may send instead.
#include "hub_fixture.h"
#include "hub/topic.h"

static bool parses(struct hub *hub, const char *format, const char *epoch, uint64_t *seq) {
  char id[128];
  snprintf(id, sizeof id, format, epoch);
  return hub_id_parse(hub, slice_str(id), seq);
}

static void test_ids_go_there_and_back(void **state) {
  (void)state;
  struct hub *hub = fixture_hub();
  const uint64_t seqs[] = {0, 1, 9, 10, 1234567, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
  for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
    char id[HUB_ID_MAX];
    uint64_t seq = 42;
    hub_id_format(hub, seqs[i], id);
    assert_true(strlen(id) < HUB_ID_MAX);
    assert_true(hub_id_parse(hub, slice_str(id), &seq));
    assert_true(seq == seqs[i]);
  }
  hub_free(hub);
}

static void test_odd_ids_are_refused(void **state) {
  (void)state;
  struct hub *hub = fixture_hub();
  const char *epoch = hub_epoch(hub);
  static const char *const odd[] = {
      "",
      "%s",
      "%s-",
      "%s-x",
      "%s--1",
      "%s-+1",
      "%s-01",
      "%s-1 ",
      " %s-1",
      "%s_1",
      "%s-1.0",
      "%s-0x1",
      "x%s-1",
      "%s-18446744073709551616",
      "-1",
      "1",
      "%s-1-1",
      "%s- 1",
      "%s-99999999999999999999",
      "%s-000000000000000000001",
  };
  uint64_t seq = 42;
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    if (parses(hub, odd[i], epoch, &seq)) fail_msg("took %s", odd[i]);
  }
  assert_false(hub_id_parse(hub, slice_of(NULL, 0), &seq));
  struct hub *other = fixture_hub();
  assert_string_not_equal(epoch, hub_epoch(other));
  assert_false(parses(hub, "%s-1", hub_epoch(other), &seq));
  assert_int_equal(seq, 42);
  hub_free(other);
  hub_free(hub);
}

static void test_topic_names(void **state) {
  (void)state;
  char longest[HUB_TOPIC_MAX + 2];
  memset(longest, 'a', sizeof longest);
  assert_true(topic_text_is_valid(slice_of(longest, HUB_TOPIC_MAX)));
  assert_false(topic_text_is_valid(slice_of(longest, HUB_TOPIC_MAX + 1)));
  static const struct {
    struct slice name;
    bool is_valid;
  } rows[] = {
      {{"a", 1}, true},
      {{"", 0}, false},
      {{"a b/\xC3\xA9", 6}, true},
      {{"a\0b", 3}, false},
      {{"a\n", 2}, false},
      {{"\x1F", 1}, false},
      {{"\x7F", 1}, false},
      {{"\xC2\x80", 2}, false},
      {{"\xC2\x9F", 2}, false},
      {{"\xC2\xA0", 2}, true},
      {{"\xC2", 1}, false},
      {{"\xFF", 1}, false},
      {{"\xED\xA0\x80", 3}, false},
      {{"\xF0\x9F\x8C\x8A", 4}, true},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(topic_text_is_valid(rows[i].name), rows[i].is_valid);
  }
}

static void test_names_that_no_topic_has(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum hub_status topic, publish;
  } rows[] = {
      {"chat/1", HUB_OK, HUB_OK},
      {"", HUB_BAD_TOPIC, HUB_BAD_TOPIC},
      {"a\n*", HUB_BAD_TOPIC, HUB_BAD_TOPIC},
      {"*", HUB_IS_PATTERN, HUB_IS_PATTERN},
      {"chat/**", HUB_IS_PATTERN, HUB_IS_PATTERN},
      {"presence:*", HUB_IS_PATTERN, HUB_IS_PATTERN},
      {"presence:chat/1", HUB_OK, HUB_RESERVED},
      {"presence:", HUB_OK, HUB_RESERVED},
      {"presence", HUB_OK, HUB_OK},
      {"a/presence:b", HUB_OK, HUB_OK},
      {"Presence:b", HUB_OK, HUB_OK},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(hub_topic_check(slice_str(rows[i].name)), rows[i].topic);
    assert_int_equal(hub_publish_check(slice_str(rows[i].name)), rows[i].publish);
  }
  assert_true(hub_pattern_is_valid(slice_str("chat/**")));
  assert_false(hub_pattern_is_valid(slice_str("")));
}

// Joined or not: the hub alone tells who comes and goes.
static void test_reserved_topics(void **state) {
  (void)state;
  struct hub *hub = fixture_hub();
  struct port port;
  struct reader reader;
  port_open(&port, hub);
  reader_open(&reader, &port, 1, FORM_ALL);
  for (int is_joined = 0; is_joined < 2; is_joined++) {
    struct message *m = message_of("presence:t", "forged", 0, MESSAGE_TEXT);
    assert_int_equal(hub_publish(hub, NULL, m, NULL), HUB_RESERVED);
    join(&reader, "presence:t");
  }
  struct hub_join_options options = {.as = slice_str("ann")};
  assert_int_equal(hub_join(&reader.hub, slice_str("t"), &options, NULL), HUB_OK);
  hub_sweep(hub);
  hub_deliver(port.hub);
  assert_int_equal(reader.event_count, 1);
  reader_close(&reader);
  hub_port_free(port.hub);
  hub_free(hub);
}

static void test_bad_names_change_nothing(void **state) {
  (void)state;
  struct hub *hub = fixture_hub();
  struct port port;
  struct reader reader;
  port_open(&port, hub);
  reader_open(&reader, &port, 1, FORM_ALL);
  struct slice bad = slice_str("a\nb");
  struct hub_join_options options = {0};
  struct hub_join_result result;
  assert_int_equal(hub_join(&reader.hub, bad, &options, &result), HUB_BAD_TOPIC);
  struct message *m = message_of("a\nb", "x", 0, MESSAGE_TEXT);
  assert_int_equal(hub_publish(hub, NULL, m, NULL), HUB_BAD_TOPIC);
  assert_int_equal(hub_leave(&reader.hub, bad), HUB_NOT_JOINED);
  assert_int_equal(hub_topic_count(hub), 0);
  assert_int_equal(hub_counters(hub)->published, 0);
  reader_close(&reader);
  hub_port_free(port.hub);
  hub_free(hub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ids_go_there_and_back), cmocka_unit_test(test_odd_ids_are_refused),
      cmocka_unit_test(test_topic_names),           cmocka_unit_test(test_names_that_no_topic_has),
      cmocka_unit_test(test_reserved_topics),       cmocka_unit_test(test_bad_names_change_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
