// Taps: server-side readers of every topic that matches a pattern.
#include "hub/topics.h"
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port, slow;
  struct reader tap, other, live;  // other is on the port that delivers seldom
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  port_open(&w->slow, w->hub);
  reader_open(&w->tap, &w->port, 0, HUB_FORM_NONE);
  reader_open(&w->other, &w->slow, 0, HUB_FORM_NONE);
  reader_open(&w->live, &w->port, 1, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->tap);
  reader_close(&w->other);
  reader_close(&w->live);
  assert_int_equal(w->hub->tap_mask, 0);
  hub_port_free(w->port.hub);
  hub_port_free(w->slow.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static void tap(struct reader *r, const char *pattern) {
  assert_int_equal(hub_join_pattern(&r->hub, slice_str(pattern)), HUB_OK);
}

static const char *delivered(struct world *w, struct reader *r) {
  hub_deliver(w->port.hub);
  hub_deliver(w->slow.hub);
  return told(r);
}

static void test_every_matching_message_once_in_order(void **state) {
  struct world *w = *state;
  publish(w->hub, "chat/a", "before");
  set_rule(w->hub, (struct hub_rule){.pattern = "chat/b", .history = 1});
  tap(&w->tap, "chat/*");
  tap(&w->other, "**");
  join(&w->live, "chat/c");
  const char *const topics[] = {"chat/a", "chat/b", "other", "chat/c", "chat/a/b", "chat/b"};
  char text[2] = "1";
  for (int i = 0; i < 6; i++, text[0]++) publish(w->hub, topics[i], text);
  assert_string_equal(delivered(w, &w->tap), "1 2 4 6");
  assert_string_equal(delivered(w, &w->other), "1 2 3 4 5 6");
  assert_string_equal(delivered(w, &w->live), "4");
  assert_string_equal(delivered(w, &w->tap), "");
  assert_int_equal(hub_topic_count(w->hub), 2);  // taps keep no topic alive
  hub_leave(&w->live.hub, slice_str("chat/c"));
  publish(w->hub, "chat/c", "7");
  assert_string_equal(delivered(w, &w->tap), "7");
}

// A tap gets copies as they are: keys supersede nothing in it, nor do they in
// the topics because of it.
static void test_keys_are_not_conflated(void **state) {
  struct world *w = *state;
  tap(&w->tap, "*");
  join(&w->live, "t");
  reader_block(&w->tap);
  reader_block(&w->live);
  for (int i = 0; i < 3; i++) {
    publish_key(w->hub, "t", "t", "k");
    publish_key(w->hub, "u", "u", "k");
    delivered(w, &w->tap);
  }
  reader_resume(&w->tap, SIZE_MAX);
  reader_resume(&w->live, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->tap), "t u t u t u");
  assert_string_equal(told(&w->live), "t");
}

static void test_except_is_about_connections(void **state) {
  struct world *w = *state;
  tap(&w->tap, "*");
  publish_except(w->hub, "t", "x", 1);
  publish_except(w->hub, "t", "y", 0);
  assert_string_equal(delivered(w, &w->tap), "x y");
}

static void test_several_taps_of_one_reader(void **state) {
  struct world *w = *state;
  tap(&w->tap, "a*");
  tap(&w->tap, "*b");
  for (int i = 0; i < 3; i++) {
    publish(w->hub, "ax", "1");
    publish(w->hub, "xb", "2");
  }
  assert_string_equal(delivered(w, &w->tap), "1 2 1 2 1 2");
}

static void test_new_taps_and_rules_reach_old_topics(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 10});
  publish(w->hub, "t", "1");
  tap(&w->tap, "t");
  publish(w->hub, "t", "2");
  hub_rules_set(w->hub, NULL, 0);
  publish(w->hub, "t", "3");
  assert_string_equal(delivered(w, &w->tap), "2 3");
  hub_reader_close(&w->tap.hub);
  tap(&w->other, "t");  // takes the place of the one that went
  publish(w->hub, "t", "4");
  assert_string_equal(delivered(w, &w->other), "4");
  assert_string_equal(delivered(w, &w->tap), "");
}

static void test_limits(void **state) {
  struct world *w = *state;
  assert_int_equal(hub_join_pattern(&w->tap.hub, slice_str("")), HUB_BAD_TOPIC);
  char name[HUB_TOPIC_MAX + 2];
  memset(name, '*', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(hub_join_pattern(&w->tap.hub, slice_str(name)), HUB_BAD_TOPIC);
  tap(&w->other, name + 1);
  for (int i = 1; i < HUB_TAPS; i++) {
    char pattern[8];
    snprintf(pattern, sizeof pattern, "t%u", (unsigned)i % 100);
    tap(&w->tap, pattern);
  }
  assert_int_equal(hub_join_pattern(&w->other.hub, slice_str("*")), HUB_LIMIT);
  assert_int_equal(hub_counters(w->hub)->joins_refused, 1);
  publish(w->hub, "u", "x");
  publish(w->hub, "t63", "y");
  assert_string_equal(delivered(w, &w->tap), "y");
  assert_string_equal(told(&w->other), "x y");
  hub_reader_close(&w->tap.hub);
  tap(&w->other, "*");
}

// A tap that waits goes on from its window, and is told what fell out of it.
static void test_window(void **state) {
  struct world *w = *state;
  enum { WINDOW = 65536, MORE = 10 };
  tap(&w->tap, "t*");
  reader_block(&w->tap);
  for (int i = 0; i < WINDOW + MORE; i++) {
    publish(w->hub, i % 2 ? "ta" : "tb", "x");
    if (i % 1000 == 0) hub_deliver(w->port.hub);
  }
  hub_deliver(w->port.hub);
  reader_resume(&w->tap, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_true(w->tap.events[0].is_gap);
  assert_int_equal(w->tap.events[0].missed, MORE);
  assert_string_equal(w->tap.events[0].text, "t*");
  assert_int_equal(w->tap.event_count, 1 + WINDOW);
  for (size_t i = 1; i < w->tap.event_count; i++) assert_true(w->tap.events[i].seq == MORE + i);
}

// Nobody else bounds what a tap refers to, so it may not wait for its port.
static void test_a_stuck_port_is_bounded(void **state) {
  struct world *w = *state;
  static char big[64 * 1024];
  memset(big, 'x', sizeof big - 1);
  tap(&w->other, "*");
  for (int i = 0; i < 1000; i++) publish(w->hub, "t", big);
  assert_true(w->hub->taps[0]->bytes <= 16 * 1024 * 1024);
  hub_deliver(w->slow.hub);
  size_t kept = w->other.event_count - 1;
  assert_int_equal(kept, 16 * 1024 * 1024 / (sizeof(struct message) + sizeof big - 1 + 1));
  assert_int_equal(w->other.events[0].missed, 1000 - kept);
}

// A key may be larger than its message.
static void test_keys_of_a_stuck_port_are_bounded(void **state) {
  struct world *w = *state;
  static char key[60000];
  memset(key, 'k', sizeof key - 1);
  tap(&w->other, "*");
  for (int i = 0; i < 1000; i++) publish_key(w->hub, "t", "x", key);
  assert_true(w->hub->taps[0]->head - w->hub->taps[0]->base < 16 * 1024 * 1024 / sizeof key + 2);
}

static void test_memory_returns(void **state) {
  struct world *w = *state;
  tap(&w->tap, "*");
  join(&w->live, "t");
  publish_numbers(w->hub, "t", 1, 100);
  hub_deliver(w->port.hub);
  assert_int_equal(w->hub->taps[0]->bytes, 0);  // what was read is not held
  assert_true(w->hub->taps[0]->cap <= 64);
  w->tap.budget = 10;
  publish_numbers(w->hub, "u", 1, 100);
  hub_deliver(w->port.hub);
  assert_int_equal(w->hub->taps[0]->head - w->hub->taps[0]->base, 90);
  hub_reader_close(&w->tap.hub);
  publish(w->hub, "t", "to a topic that knew the tap");
  hub_deliver(w->port.hub);
  hub_reader_close(&w->live.hub);
  assert_int_equal(w->hub->kept_bytes, 0);
  assert_int_equal(hub_counters(w->hub)->form_bytes, 0);
  assert_int_equal(hub_topic_count(w->hub), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_matching_message_once_in_order),
      TEST(test_keys_are_not_conflated),
      TEST(test_except_is_about_connections),
      TEST(test_several_taps_of_one_reader),
      TEST(test_new_taps_and_rules_reach_old_topics),
      TEST(test_limits),
      TEST(test_window),
      TEST(test_a_stuck_port_is_bounded),
      TEST(test_keys_of_a_stuck_port_are_bounded),
      TEST(test_memory_returns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
