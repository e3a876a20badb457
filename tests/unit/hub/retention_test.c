// Retention: what a log keeps by count, bytes and age, and what it must keep
// until every port has delivered it.
#include "base/fake_clock.h"
#include "hub/topics.h"
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port, slow;
  struct reader live, late, far;  // far is on the port that delivers seldom
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  port_open(&w->slow, w->hub);
  reader_open(&w->live, &w->port, 1, FORM_ALL);
  reader_open(&w->late, &w->port, 2, FORM_TEXT);
  reader_open(&w->far, &w->slow, 3, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->live);
  reader_close(&w->late);
  reader_close(&w->far);
  hub_port_free(w->port.hub);
  hub_port_free(w->slow.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

// What a reader that comes now finds in the topic.
static const char *kept(struct world *w, const char *topic) {
  join_as(&w->late, topic, HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  hub_leave(&w->late.hub, slice_str(topic));
  return told(&w->late);
}

static uint64_t evicted(struct world *w) { return counted(&hub_counters(w->hub)->evicted); }

static void test_history_by_count(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "h", .history = 3});
  publish_numbers(w->hub, "h", 1, 2);
  assert_string_equal(kept(w, "h"), "1 2");
  publish_numbers(w->hub, "h", 3, 100);
  assert_string_equal(kept(w, "h"), "98 99 100");
  assert_int_equal(evicted(w), 97);
  assert_int_equal(hub_topic_count(w->hub), 1);
}

static void test_history_by_bytes(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "b", .history = 100, .bytes = 10});
  publish(w->hub, "b", "aaaa");
  publish(w->hub, "b", "bbbb");
  assert_string_equal(kept(w, "b"), "aaaa bbbb");
  publish(w->hub, "b", "cc");
  assert_string_equal(kept(w, "b"), "aaaa bbbb cc");
  publish(w->hub, "b", "d");
  assert_string_equal(kept(w, "b"), "bbbb cc d");
  publish(w->hub, "b", "0123456789");
  assert_string_equal(kept(w, "b"), "0123456789");
}

static void test_too_large_is_refused(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "b*", .bytes = 4});
  join(&w->live, "b1");
  struct message *m = message_of("b1", "12345", 0, MESSAGE_TEXT);
  assert_int_equal(hub_publish(w->hub, NULL, m, NULL), HUB_TOO_LARGE);
  m = message_of("b2", "12345", 0, MESSAGE_TEXT);
  assert_int_equal(hub_publish(w->hub, NULL, m, NULL), HUB_TOO_LARGE);
  assert_int_equal(publish(w->hub, "b1", "1234"), 1);  // a refused message uses up no seq
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->live), "1234");
}

static void test_ttl(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t*", .history = 10, .ttl_ms = 50});
  publish(w->hub, "t1", "old");
  publish(w->hub, "t2", "old");
  assert_string_equal(kept(w, "t1"), "old");
  fake_clock_ms += 49;
  assert_string_equal(kept(w, "t1"), "old");
  fake_clock_ms++;
  assert_string_equal(kept(w, "t1"), "");  // gone at once, swept or not
  assert_int_equal(hub_topic_count(w->hub), 1);
  publish(w->hub, "t1", "new");
  hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 1);
  assert_string_equal(kept(w, "t1"), "new");
}

static void test_sweep_goes_round_all_topics(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "**", .history = 1, .ttl_ms = 1});
  enum { COUNT = 5000 };
  for (int i = 0; i < COUNT; i++) {
    char name[16];
    snprintf(name, sizeof name, "t%d", i);
    publish(w->hub, name, "x");
  }
  assert_int_equal(hub_topic_count(w->hub), COUNT);
  fake_clock_ms++;
  hub_sweep(w->hub);
  assert_true(hub_topic_count(w->hub) > COUNT / 2);  // bounded work a call
  for (int i = 0; i < 2 * HUB_SWEEP_CALLS && hub_topic_count(w->hub) > 0; i++) hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_int_equal(w->hub->kept_bytes, 0);
  assert_true(w->hub->topics.cap <= 64);  // the memory went with them
  hub_sweep(w->hub);
}

// A map that shrinks moves its entries: none may slip by for round after round.
static void test_two_rounds_of_sweeping_find_all_of_many(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "**", .history = 1, .ttl_ms = 1});
  enum { COUNT = 150000 };
  for (int i = 0; i < COUNT; i++) {
    char name[16];
    snprintf(name, sizeof name, "t%d", i);
    publish(w->hub, name, "x");
  }
  fake_clock_ms++;
  int calls = 0;
  for (; hub_topic_count(w->hub) > 0; calls++) hub_sweep(w->hub);
  if (calls > 2 * HUB_SWEEP_CALLS) fail_msg("%d calls", calls);
}

static void test_nothing_is_kept_for_nobody(void **state) {
  struct world *w = *state;
  assert_int_equal(publish(w->hub, "t", "x"), 1);
  assert_int_equal(hub_topic_count(w->hub), 0);
  join(&w->live, "t");
  publish_numbers(w->hub, "t", 1, 3);
  hub_leave(&w->live.hub, slice_str("t"));
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_true(w->hub->kept_bytes == 0);
}

static size_t read_count(struct world *w, const char *topic, struct hub_history_options options) {
  struct hub_history history = hub_history_read(w->hub, slice_str(topic), &options);
  size_t count = history.count;
  hub_history_free(&history);
  return count;
}

// What slow readers need is not for who comes late; only an id goes on in it.
static void test_without_history_nothing_is_kept_for_late_joiners(void **state) {
  struct world *w = *state;
  join(&w->live, "t");
  publish_numbers(w->hub, "t", 1, 2);
  publish_key(w->hub, "t", "3", "key");
  hub_deliver(w->port.hub);
  assert_string_equal(kept(w, "t"), "");
  join_as(&w->late, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  join_as(&w->late, "t", HUB_SINCE_ID, "foreign-1", HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->late), "");
  static const enum hub_since sinces[] = {HUB_SINCE_NOW, HUB_SINCE_FIRST, HUB_SINCE_LAST};
  for (int i = 0; i < 6; i++) {
    const struct hub_history_options all = {.since = sinces[i % 3], .is_reverse = i >= 3};
    assert_int_equal(read_count(w, "t", all), 0);
  }
  char id[HUB_ID_MAX];
  hub_id_format(w->hub, 2, id);
  struct hub_history_options by_id = {.since = HUB_SINCE_ID, .id = slice_str(id)};
  assert_int_equal(read_count(w, "t", by_id), 1);
  by_id.is_reverse = true;
  assert_int_equal(read_count(w, "t", by_id), 0);
  assert_true(join_after(&w->late, "t", w->hub, 1).recovered);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->late), "2 3");
}

static void test_joining_again_from_the_first_without_history_loses_nothing(void **state) {
  struct world *w = *state;
  join(&w->live, "t");
  publish_numbers(w->hub, "t", 1, 2);
  join_as(&w->live, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  publish_numbers(w->hub, "t", 3, 3);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->live), "1 2 3");
}

static void test_window_without_history(void **state) {
  struct world *w = *state;
  join(&w->live, "t");
  publish_numbers(w->hub, "t", 1, HUB_WINDOW + 10);
  assert_int_equal(evicted(w), 0);
  hub_deliver(w->port.hub);
  assert_int_equal(w->live.event_count, HUB_WINDOW + 10);
  assert_int_equal(evicted(w), 10);
}

static void test_burst_reaches_every_healthy_reader(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 10, .bytes = 100});
  join(&w->live, "t");
  join(&w->live, "u");  // merged by the pump, which reads the log itself
  join(&w->late, "t");
  join(&w->far, "t");
  publish_numbers(w->hub, "t", 1, 5000);
  publish_numbers(w->hub, "u", 1, 5000);
  hub_deliver(w->port.hub);
  assert_int_equal(w->live.event_count, 10000);
  assert_int_equal(w->late.event_count, 5000);
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
  assert_int_equal(evicted(w), 4990);  // u's; t's wait for the other port
  publish_numbers(w->hub, "t", 5001, 5001);
  hub_deliver(w->slow.hub);
  assert_int_equal(w->far.event_count, 5001);
  assert_int_equal(evicted(w), 9981);
  hub_deliver(w->port.hub);
  assert_int_equal(w->late.event_count, 5001);
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

static void test_a_port_that_left_protects_nothing(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  join(&w->live, "t");
  join(&w->far, "t");
  publish_numbers(w->hub, "t", 1, 100);
  hub_deliver(w->port.hub);
  assert_int_equal(evicted(w), 0);
  hub_leave(&w->far.hub, slice_str("t"));
  assert_int_equal(evicted(w), 90);
  assert_int_equal(hub_topic_count(w->hub), 1);
}

static void test_a_stuck_port_is_capped(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  w->hub->limits.max_bytes = 100 * (2 * sizeof(struct message) + 16);
  join(&w->live, "t");
  join(&w->far, "t");
  for (unsigned i = 1; i <= 500; i++) {
    publish_numbers(w->hub, "t", i, i);
    uint64_t held = topics_held_bytes(w->hub);
    assert_true(held <= w->hub->limits.max_bytes);
    hub_deliver(w->port.hub);
  }
  assert_int_equal(w->live.event_count, 500);  // the healthy port notices nothing
  hub_deliver(w->slow.hub);
  uint64_t missed = w->far.events[0].missed;
  assert_true(w->far.events[0].is_gap && missed > 300);
  assert_int_equal(hub_counters(w->hub)->lagged, missed);
  assert_int_equal(w->far.event_count - 1 + missed, 500);
  assert_string_equal(w->far.events[w->far.event_count - 1].text, "500");
}

static void test_new_rules_apply_to_old_topics(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 100});
  publish_numbers(w->hub, "t", 1, 50);
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  assert_string_equal(kept(w, "t"), "49 50");
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  publish_numbers(w->hub, "t", 51, 51);
  assert_string_equal(kept(w, "t"), "49 50 51");
  hub_rules_set(w->hub, NULL, 0);
  hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
}

static void test_a_replay_is_kept_until_the_next_delivery(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  publish_numbers(w->hub, "t", 1, 3);
  join_as(&w->live, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  publish_numbers(w->hub, "t", 4, 6);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->live), "1 2 3 4 5 6");
  assert_int_equal(evicted(w), 3);
  // Also where the port has delivered the topic before.
  join_as(&w->late, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  join_as(&w->late, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  publish_numbers(w->hub, "t", 7, 9);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->late), "4 5 6 7 8 9");
  assert_string_equal(told(&w->live), "7 8 9");
  assert_int_equal(evicted(w), 6);
  // And no longer than that, also when nothing more comes.
  join_as(&w->late, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 1});
  hub_sweep(w->hub);
  assert_int_equal(evicted(w), 6);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->late), "7 8 9");
  assert_int_equal(evicted(w), 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_history_by_count),
      TEST(test_history_by_bytes),
      TEST(test_too_large_is_refused),
      TEST(test_ttl),
      TEST(test_sweep_goes_round_all_topics),
      TEST(test_two_rounds_of_sweeping_find_all_of_many),
      TEST(test_nothing_is_kept_for_nobody),
      TEST(test_without_history_nothing_is_kept_for_late_joiners),
      TEST(test_joining_again_from_the_first_without_history_loses_nothing),
      TEST(test_window_without_history),
      TEST(test_burst_reaches_every_healthy_reader),
      TEST(test_a_port_that_left_protects_nothing),
      TEST(test_a_stuck_port_is_capped),
      TEST(test_new_rules_apply_to_old_topics),
      TEST(test_a_replay_is_kept_until_the_next_delivery),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
