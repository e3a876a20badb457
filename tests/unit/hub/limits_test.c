// Caps and the memory of the whole hub: what is refused or driven out, that it
// is counted, and that all of it comes back.
#include "base/config.h"
#include "hub/cursor.h"
#include "hub/topics.h"
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port, slow;
  struct reader a, b, far;  // far is on the port that delivers seldom
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  port_open(&w->slow, w->hub);
  reader_open(&w->a, &w->port, 1, FORM_ALL);
  reader_open(&w->b, &w->port, 2, FORM_TEXT);
  reader_open(&w->far, &w->slow, 3, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->a);
  reader_close(&w->b);
  reader_close(&w->far);
  hub_port_free(w->port.hub);
  hub_port_free(w->slow.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static enum hub_status try(struct reader *r, const char *topic) {
  const struct hub_join_options options = {.since = HUB_SINCE_FIRST};
  return hub_join(&r->hub, slice_str(topic), &options, NULL);
}

static const char *kept(struct world *w, const char *topic) {
  join_as(&w->a, topic, HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  hub_leave(&w->a.hub, slice_str(topic));
  return told(&w->a);
}

// ---- caps ----------------------------------------------------------------

static void test_topics_of_a_reader(void **state) {
  struct world *w = *state;
  hub_limits_set(w->hub, &(struct hub_limits){.max_topics = 3});
  assert_int_equal(try(&w->a, "1"), HUB_OK);
  assert_int_equal(try(&w->a, "2"), HUB_OK);
  assert_int_equal(try(&w->a, "3"), HUB_OK);
  assert_int_equal(try(&w->a, "4"), HUB_LIMIT_TOPICS);
  assert_int_equal(try(&w->a, "3"), HUB_OK);
  assert_int_equal(try(&w->b, "4"), HUB_OK);
  assert_int_equal(hub_topic_count(w->hub), 4);
  hub_leave(&w->a.hub, slice_str("1"));
  assert_int_equal(try(&w->a, "5"), HUB_OK);
  assert_int_equal(try(&w->a, "6"), HUB_LIMIT_TOPICS);
  assert_int_equal(hub_topic_count(w->hub), 4);
  assert_int_equal(hub_counters(w->hub)->joins_refused, 2);
}

static void test_default_of_topics(void **state) {
  struct world *w = *state;
  hub_limits_set(w->hub, &(struct hub_limits){0});
  for (unsigned i = 0; i <= HUB_MAX_TOPICS; i++) {
    char name[8];
    snprintf(name, sizeof name, "%u", i);
    assert_int_equal(try(&w->a, name), i < HUB_MAX_TOPICS ? HUB_OK : HUB_LIMIT_TOPICS);
  }
}

static void test_subscriptions_of_a_port(void **state) {
  struct world *w = *state;
  hub_limits_set(w->hub, &(struct hub_limits){.max_subscriptions = 2});
  assert_int_equal(try(&w->a, "1"), HUB_OK);
  assert_int_equal(try(&w->b, "1"), HUB_OK);
  assert_int_equal(try(&w->a, "2"), HUB_LIMIT_SUBSCRIPTIONS);
  assert_int_equal(try(&w->far, "2"), HUB_OK);  // another port
  hub_reader_close(&w->b.hub);
  assert_int_equal(try(&w->a, "2"), HUB_OK);
  assert_int_equal(hub_counters(w->hub)->joins_refused, 1);
}

// A cursor's place on its port is a number of few bits: no setting may exceed it.
static void test_most_subscriptions_of_a_port(void **state) {
  struct world *w = *state;
  assert_int_equal(w->hub->limits.max_subscriptions, HUB_MAX_SUBSCRIPTIONS);
  hub_limits_set(w->hub, &(struct hub_limits){.max_subscriptions = 2});
  hub_limits_set(w->hub, &(struct hub_limits){.max_subscriptions = UINT64_MAX});
  assert_int_equal(w->hub->limits.max_subscriptions, HUB_MAX_SUBSCRIPTIONS);
  struct hub_sub sub = {.index = HUB_MAX_SUBSCRIPTIONS - 1};
  assert_int_equal(sub.index, HUB_MAX_SUBSCRIPTIONS - 1);
  const struct config_key *key = config_key_find("max_subscriptions", 17);
  assert_true(key->max <= HUB_MAX_SUBSCRIPTIONS);
}

static void test_refusal_changes_nothing(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3, .limit = 1});
  publish_numbers(w->hub, "t", 1, 3);
  join(&w->a, "t");
  assert_int_equal(try(&w->b, "t"), HUB_LIMIT);
  assert_int_equal(hub_count(w->hub, slice_str("t")), 1);
  assert_int_equal(w->b.hub.sub_count, 0);
  publish(w->hub, "t", "4");
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->b), "");
  assert_string_equal(told(&w->a), "4");
  // A lower limit sends nobody away, and lets nobody in.
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3, .limit = 2});
  join(&w->b, "t");
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3, .limit = 1});
  assert_int_equal(hub_count(w->hub, slice_str("t")), 2);
  hub_leave(&w->a.hub, slice_str("t"));
  assert_int_equal(try(&w->a, "t"), HUB_LIMIT);
}

// ---- memory --------------------------------------------------------------

static uint64_t held(const struct world *w) { return topics_held_bytes(w->hub); }

static void test_the_least_recently_used_topic_pays(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 100});
  uint64_t one = sizeof(struct message) + 2;  // "a" in "x"
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = 6 * one + 3 * HUB_TOPIC_COST});
  const char *const texts[] = {"1", "2", "3"};
  for (int i = 0; i < 3; i++) publish(w->hub, "a", texts[i]);
  for (int i = 0; i < 3; i++) publish(w->hub, "b", texts[i]);
  const struct hub_history_options all = {.since = HUB_SINCE_LAST};
  struct hub_history history = hub_history_read(w->hub, slice_str("a"), &all);  // uses a
  hub_history_free(&history);
  publish(w->hub, "c", "1");
  publish(w->hub, "c", "2");
  assert_int_equal(hub_counters(w->hub)->evicted_memory, 2);
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = 100 * one + 3 * HUB_TOPIC_COST});
  assert_string_equal(kept(w, "a"), "1 2 3");
  assert_string_equal(kept(w, "b"), "3");
  assert_string_equal(kept(w, "c"), "1 2");
  assert_int_equal(hub_counters(w->hub)->evicted, 2);
}

static void test_a_message_that_cannot_fit_drives_nothing_out(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "a", .history = 100});
  uint64_t one = sizeof(struct message) + 2;  // "1" in "a"
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = HUB_TOPIC_COST + one + 2});
  join(&w->far, "b");
  publish(w->hub, "a", "1");
  struct message *m = message_of("b", "1234", 0, MESSAGE_TEXT);
  assert_int_equal(hub_publish(w->hub, NULL, m, NULL), HUB_TOO_LARGE);
  assert_string_equal(kept(w, "a"), "1");
  assert_int_equal(hub_counters(w->hub)->evicted, 0);
  assert_int_equal(publish(w->hub, "b", "123"), 2);  // fits alone, and has taken the next seq
  hub_deliver(w->slow.hub);
  assert_string_equal(told(&w->far), "123");
  assert_int_equal(hub_counters(w->hub)->evicted_memory, 1);
}

static void test_topics_that_paid_all_vanish(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 100});
  uint64_t one = sizeof(struct message) + 2 + HUB_TOPIC_COST;
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = 10 * one});
  char name[2] = "a";
  uint64_t first = publish(w->hub, name, "x");
  for (; name[0] < 'z'; name[0]++) publish(w->hub, name, "x");
  assert_int_equal(hub_topic_count(w->hub), 10);
  assert_int_equal(w->hub->kept_bytes, 10 * one);
  assert_false(join_after(&w->a, "a", w->hub, first).recovered);
}

// A kept message of a key is as good as any, and counted when it goes.
static void test_kept_keys_pay_first(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  join(&w->a, "t");
  reader_block(&w->a);
  const char *const keys[] = {"a", "b", "c", ""};
  for (int i = 0; i < 4; i++) publish_key(w->hub, "t", keys[i][0] ? keys[i] : "4", keys[i]);
  hub_deliver(w->port.hub);
  uint64_t most = HUB_TOPIC_COST + 3 * (sizeof(struct message) + 3) + MESSAGE_KEY_COST;
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = most});
  publish(w->hub, "t", "5");
  hub_deliver(w->port.hub);
  reader_resume(&w->a, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->a), "!2 c 4 5");  // a went by retention
  assert_int_equal(hub_counters(w->hub)->evicted_memory, 1);
}

// Nothing is lost silently, also when nothing is left to say it with.
static void test_a_turn_that_lost_all_is_told(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->b, "t");
  join(&w->far, "t");
  publish_numbers(w->hub, "t", 1, 3);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->a), "1 2 3");
  publish_numbers(w->hub, "t", 4, 4);
  set_rule(w->hub, (struct hub_rule){.pattern = "u", .history = 1});
  w->hub->limits.max_bytes = HUB_TOPIC_COST + sizeof(struct message) + 2;
  publish_numbers(w->hub, "u", 5, 5);  // drives out all of t
  hub_deliver(w->port.hub);
  hub_deliver(w->slow.hub);
  assert_string_equal(told(&w->a), "!1");
  assert_string_equal(told(&w->b), "1 2 3 !1");
  assert_string_equal(told(&w->far), "!4");
  w->hub->limits.max_bytes = HUB_MAX_BYTES;
  publish_numbers(w->hub, "t", 6, 6);
  hub_deliver(w->port.hub);
  hub_deliver(w->slow.hub);
  assert_string_equal(told(&w->a), "6");
  assert_string_equal(told(&w->far), "6");
}

// Forms count too. When they have grown at once, one publisher does not pay for all.
static void test_forms_count_and_eviction_is_bounded(void **state) {
  struct world *w = *state;
  enum { COUNT = 20000 };
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = COUNT});
  for (int i = 0; i < COUNT; i++) publish(w->hub, "t", "x");
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = w->hub->kept_bytes + 1000});
  join_as(&w->b, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  assert_int_equal(w->b.event_count, COUNT);
  assert_true(held(w) > w->hub->limits.max_bytes);
  publish(w->hub, "t", "x");
  long long evicted = hub_counters(w->hub)->evicted_memory;
  assert_true(evicted > 0 && evicted < COUNT / 10);
  for (int i = 0; i < 1000 && held(w) > w->hub->limits.max_bytes; i++) hub_sweep(w->hub);
  assert_true(held(w) <= w->hub->limits.max_bytes);
  assert_true(hub_counters(w->hub)->evicted_memory > evicted);
}

static void test_memory_comes_back_after_a_million_topics(void **state) {
  struct world *w = *state;
  enum { COUNT = 1000000, AT_ONCE = 100 };
  set_rule(w->hub, (struct hub_rule){.pattern = "k/*", .history = 1});
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = 1000 * sizeof(struct message)});
  for (int i = 0; i < COUNT; i++) {
    char name[32];
    snprintf(name, sizeof name, "%s/%d", i % 2 ? "k" : "t", i);
    if (i % 10 == 0) join(&w->a, name);
    publish_key(w->hub, name, "x", i % 3 ? "key" : "");
    if (i % 10 != 0) continue;
    hub_deliver(w->port.hub);
    hub_leave(&w->a.hub, slice_str(name));
    told(&w->a);
  }
  assert_true(hub_topic_count(w->hub) < 1000);
  hub_rules_set(w->hub, NULL, 0);
  for (int i = 0; i < 2 * HUB_SWEEP_CALLS && hub_topic_count(w->hub) > 0; i++) hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_int_equal(w->hub->kept_bytes, 0);
  assert_int_equal(hub_counters(w->hub)->form_bytes, 0);
  assert_true(w->hub->topics.cap <= 64);
  assert_true(list_is_empty(&w->hub->used));
}

// What a topic with keys remembers of lost ones is small while it is little.
static void test_lost_keys_cost_little(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 1});
  join(&w->a, "t");
  for (int i = 1; i <= 5000; i++) {
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    publish_key(w->hub, "t", "x", key);
    hub_deliver(w->port.hub);
    const struct keys *keys = topics_find(w->hub, slice_str("t"))->keys;
    assert_int_equal(keys->dropped_count, i > 2 ? i - 2 : 0);
    assert_true(keys->dropped_cap <= (size_t)(i < 16 ? 16 : 2 * i));
    assert_true(keys->cap <= 16 && keys->newest.cap <= 64);
  }
  told(&w->a);
  publish_key(w->hub, "t", "x", "5000");
  publish(w->hub, "t", "x");
  hub_deliver(w->port.hub);
  const struct keys *kept = topics_find(w->hub, slice_str("t"))->keys;
  assert_true(kept->kept != NULL && kept->kept_count == 1);
  publish_key(w->hub, "t", "x", "5000");  // nothing is left outside the ring
  assert_null(kept->kept);
  hub_deliver(w->port.hub);
  told(&w->a);
  reader_block(&w->a);
  for (int i = 0; i < 1000; i++) publish_key(w->hub, "t", "y", i % 2 ? "even" : "odd");
  for (int i = 0; i < 1002; i++) {
    char key[16];
    snprintf(key, sizeof key, "%d", i);
    publish_key(w->hub, "t", "z", key);
  }
  hub_deliver(w->port.hub);
  reader_resume(&w->a, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->a), "!1002 z z");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_topics_of_a_reader),
      TEST(test_default_of_topics),
      TEST(test_subscriptions_of_a_port),
      TEST(test_most_subscriptions_of_a_port),
      TEST(test_refusal_changes_nothing),
      TEST(test_the_least_recently_used_topic_pays),
      TEST(test_a_message_that_cannot_fit_drives_nothing_out),
      TEST(test_topics_that_paid_all_vanish),
      TEST(test_kept_keys_pay_first),
      TEST(test_a_turn_that_lost_all_is_told),
      TEST(test_forms_count_and_eviction_is_bounded),
      TEST(test_memory_comes_back_after_a_million_topics),
      TEST(test_lost_keys_cost_little),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
