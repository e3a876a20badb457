// Resuming: a reader that comes back with an id gets all that it missed, once,
// or is told that it cannot; never a false "nothing missed".
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port;
  struct reader reader, keeper;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  reader_open(&w->reader, &w->port, 1, FORM_ALL);
  reader_open(&w->keeper, &w->port, 2, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->reader);
  reader_close(&w->keeper);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static const char *replayed(struct world *w, const char *topic) {
  hub_deliver(w->port.hub);
  hub_leave(&w->reader.hub, slice_str(topic));
  return told(&w->reader);
}

static void test_since_first_last_now(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 5});
  struct reader *r = &w->reader;
  struct hub_join_result result = join_as(r, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  assert_true(result.missed_known && result.missed == 0 && !result.recovered && result.seq == 0);
  assert_string_equal(replayed(w, "t"), "");
  publish_numbers(w->hub, "t", 1, 7);
  result = join_as(r, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  assert_int_equal(result.seq, 2);  // a join since it gets the same
  assert_string_equal(replayed(w, "t"), "3 4 5 6 7");
  join_as(r, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  assert_string_equal(replayed(w, "t"), "7");
  join_as(r, "t", HUB_SINCE_NOW, NULL, HUB_LAG_DEFAULT);
  publish(w->hub, "t", "8");
  assert_string_equal(replayed(w, "t"), "8");
}

static void test_resume_at_every_position(void **state) {
  struct world *w = *state;
  enum { COUNT = 40, KEPT = 15 };
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = KEPT});
  uint64_t seqs[COUNT];
  for (unsigned i = 0; i < COUNT; i++) {
    char text[8];
    snprintf(text, sizeof text, "%u", i);
    if (i % 3 == 0) publish(w->hub, "elsewhere", "x");  // so that seqs have holes
    seqs[i] = publish(w->hub, "t", text);
  }
  for (uint64_t seq = 0; seq <= seqs[COUNT - 1]; seq++) {
    struct hub_join_result result = join_after(&w->reader, "t", w->hub, seq);
    publish(w->hub, "none", "x");
    hub_deliver(w->port.hub);
    unsigned first = 0;
    while (first < COUNT && seqs[first] <= seq) first++;
    assert_int_equal(result.recovered, first >= COUNT - KEPT);
    assert_int_equal(result.missed_known, result.recovered);
    assert_int_equal(result.missed, 0);
    if (first < COUNT - KEPT) first = COUNT - KEPT;
    assert_int_equal(w->reader.event_count, COUNT - first);
    for (unsigned i = first; i < COUNT; i++) {
      assert_true(w->reader.events[i - first].seq == seqs[i]);
    }
    replayed(w, "t");
  }
}

static void test_replay_then_live_has_no_hole(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 100});
  publish_numbers(w->hub, "t", 1, 5);
  join(&w->keeper, "t");
  publish_numbers(w->hub, "t", 6, 7);
  struct hub_join_result result = join_after(&w->reader, "t", w->hub, 3);
  assert_true(result.recovered);
  publish_numbers(w->hub, "t", 8, 9);
  hub_deliver(w->port.hub);
  publish_numbers(w->hub, "t", 10, 10);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "4 5 6 7 8 9 10");
  assert_string_equal(told(&w->keeper), "6 7 8 9 10");
  assert_int_equal(w->reader.shared_count, 1);  // it follows along since then
}

static void test_join_result_is_an_id_to_resume_from(void **state) {
  struct world *w = *state;
  join(&w->keeper, "t");
  publish_numbers(w->hub, "t", 1, 3);
  struct hub_join_result joined = join_as(&w->reader, "t", HUB_SINCE_NOW, NULL, HUB_LAG_DEFAULT);
  hub_leave(&w->reader.hub, slice_str("t"));
  publish_numbers(w->hub, "t", 4, 6);
  assert_true(join_after(&w->reader, "t", w->hub, joined.seq).recovered);
  assert_string_equal(replayed(w, "t"), "4 5 6");
}

static void test_unusable_ids_get_all_that_is_kept(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  publish_numbers(w->hub, "t", 1, 5);
  char future[HUB_ID_MAX];
  hub_id_format(w->hub, 6, future);
  const char *ids[] = {"", "garbage", "0000000000-3", future, NULL, "\xFF\n"};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    struct hub_join_result result = join_as(&w->reader, "t", HUB_SINCE_ID, ids[i], HUB_LAG_DEFAULT);
    assert_false(result.recovered);
    assert_false(result.missed_known);
    assert_string_equal(replayed(w, "t"), "3 4 5");
  }
}

static void test_joining_again_moves_only_when_asked(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  publish_numbers(w->hub, "t", 1, 3);
  join(&w->reader, "t");
  publish_numbers(w->hub, "t", 4, 4);
  join(&w->reader, "t");
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "4");
  assert_true(join_after(&w->reader, "t", w->hub, 2).recovered);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "3 4");
  join_as(&w->reader, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  join_as(&w->reader, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "4");
  publish_numbers(w->hub, "t", 5, 5);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "5");
}

static void test_one_id_resumes_all_topics(void **state) {
  struct world *w = *state;
  const struct hub_rule rule = {.pattern = "*", .history = 100};
  hub_rules_set(w->hub, &rule, 1);
  for (unsigned i = 1; i <= 30; i++) publish_numbers(w->hub, i % 3 ? "a" : "b", i, i);
  for (uint64_t seq = 0; seq <= 30; seq++) {
    assert_true(join_after(&w->reader, "b", w->hub, seq).recovered);
    assert_true(join_after(&w->reader, "a", w->hub, seq).recovered);
    hub_deliver(w->port.hub);
    assert_int_equal(w->reader.event_count, 30 - seq);
    for (size_t i = 0; i < w->reader.event_count; i++) {
      assert_true(w->reader.events[i].seq == seq + i + 1);
    }
    hub_leave(&w->reader.hub, slice_str("a"));
    replayed(w, "b");
  }
}

static void test_join_result_loses_nothing_of_other_topics(void **state) {
  struct world *w = *state;
  const struct hub_rule rule = {.pattern = "*", .history = 100};
  hub_rules_set(w->hub, &rule, 1);
  publish_numbers(w->hub, "a", 1, 5);
  publish_numbers(w->hub, "b", 6, 9);
  assert_int_equal(join_after(&w->reader, "a", w->hub, 2).seq, 2);
  assert_int_equal(join_after(&w->reader, "b", w->hub, 7).seq, 2);  // 3 of "a" is yet to come
}

static void test_own_messages_are_not_replayed(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  const uint64_t excepts[] = {1, 0, 1, 1, 0, 1};
  for (unsigned i = 0; i < 6; i++) publish_except(w->hub, "t", i % 2 ? "odd" : "even", excepts[i]);
  join_as(&w->reader, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  assert_string_equal(replayed(w, "t"), "odd even");
}

// A topic that is gone and comes again must not claim that an id from before
// has missed nothing.
static void test_vanished_topics_never_recover_falsely(void **state) {
  struct world *w = *state;
  join(&w->keeper, "t");
  uint64_t seen = publish(w->hub, "t", "seen");
  publish(w->hub, "t", "unseen");
  hub_deliver(w->port.hub);
  hub_leave(&w->keeper.hub, slice_str("t"));
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_false(join_after(&w->reader, "t", w->hub, seen).recovered);
  hub_leave(&w->reader.hub, slice_str("t"));

  uint64_t newest = publish(w->hub, "t", "to nobody");
  assert_false(join_after(&w->reader, "t", w->hub, newest - 1).recovered);
  hub_leave(&w->reader.hub, slice_str("t"));
  // But whoever has seen its last message has missed nothing,
  assert_true(join_after(&w->reader, "t", w->hub, newest).recovered);
  // and other topics are not affected.
  publish(w->hub, "u", "x");
  assert_true(join_after(&w->keeper, "v", w->hub, seen).recovered);
}

static void test_vanished_by_ttl_and_rules(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  uint64_t seen = publish(w->hub, "t", "seen");
  publish(w->hub, "t", "unseen");
  hub_rules_set(w->hub, NULL, 0);
  hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  publish(w->hub, "t", "new");
  assert_false(join_after(&w->reader, "t", w->hub, seen).recovered);
  assert_string_equal(replayed(w, "t"), "new");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_since_first_last_now),
      TEST(test_resume_at_every_position),
      TEST(test_replay_then_live_has_no_hole),
      TEST(test_join_result_is_an_id_to_resume_from),
      TEST(test_unusable_ids_get_all_that_is_kept),
      TEST(test_joining_again_moves_only_when_asked),
      TEST(test_one_id_resumes_all_topics),
      TEST(test_join_result_loses_nothing_of_other_topics),
      TEST(test_own_messages_are_not_replayed),
      TEST(test_vanished_topics_never_recover_falsely),
      TEST(test_vanished_by_ttl_and_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
