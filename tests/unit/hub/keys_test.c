// Conflation by key: who is behind gets the newest of each key, who keeps up
// gets all, and what was only superseded was never missed.
#include "hub/topics.h"
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port;
  struct reader slow, quick, late;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  reader_open(&w->slow, &w->port, 1, FORM_ALL);
  reader_open(&w->quick, &w->port, 2, FORM_ALL);
  reader_open(&w->late, &w->port, 3, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->slow);
  reader_close(&w->quick);
  reader_close(&w->late);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

// "a1 b2 3": messages of the keys a and b, and one without a key. They are
// published one a turn, so that retention takes hold meanwhile.
static void feed(struct world *w, const char *topic, const char *line) {
  char copy[512], *rest = copy;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
    char key[2] = {word[0] >= 'a' ? word[0] : '\0', '\0'};
    publish_key(w->hub, topic, word, key);
    hub_deliver(w->port.hub);
  }
}

// What the slow reader is told when it can take messages again.
static const char *catch_up(struct world *w) {
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  return told(&w->slow);
}

static const char *late_is_told(struct world *w, const char *topic, enum hub_since since) {
  join_as(&w->late, topic, since, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  hub_leave(&w->late.hub, slice_str(topic));
  return told(&w->late);
}

static void test_behind_gets_the_newest_of_each_key(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  join(&w->quick, "t");
  reader_block(&w->slow);
  feed(w, "t", "a1 b2 3 a4 5 a6 b7 c8");
  assert_string_equal(told(&w->quick), "a1 b2 3 a4 5 a6 b7 c8");
  assert_string_equal(catch_up(w), "3 5 a6 b7 c8");
  assert_int_equal(hub_counters(w->hub)->conflated, 3);
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
  feed(w, "t", "a9 a10");  // it keeps up again
  assert_string_equal(told(&w->slow), "a9 a10");
}

static void test_keeping_up_gets_all_of_a_burst(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 2});
  join(&w->slow, "t");
  join(&w->quick, "t");
  join(&w->quick, "u");
  for (int round = 0; round < 3; round++) {
    const uint64_t excepts[] = {0, 1, 0};
    for (int i = 0; i < 3; i++) {
      struct message *m = message_new(&(struct message_fields){.payload = slice_str("x"),
                                                               .topic = slice_str("t"),
                                                               .key = slice_str("k"),
                                                               .except = excepts[i]});
      hub_publish(w->hub, NULL, m, NULL);
      publish_key(w->hub, "u", "y", "k");
    }
    hub_deliver(w->port.hub);
    assert_string_equal(told(&w->quick), "x y x y x y");  // merged from two topics
    assert_string_equal(told(&w->slow), "x x");           // left out of one
  }
  assert_int_equal(hub_counters(w->hub)->conflated, 0);
}

static void test_an_empty_key_is_none(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  reader_block(&w->slow);
  for (int i = 0; i < 3; i++) publish_key(w->hub, "t", "x", "");
  hub_deliver(w->port.hub);
  assert_string_equal(catch_up(w), "x x x");
  assert_null(topics_find(w->hub, slice_str("t"))->keys);
}

static void test_a_key_may_be_on_binary_too(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  reader_block(&w->slow);
  publish_key(w->hub, "t", "text", "k");
  struct message *m = message_new(&(struct message_fields){.kind = MESSAGE_BINARY,
                                                           .payload = slice_str("binary"),
                                                           .topic = slice_str("t"),
                                                           .key = slice_str("k")});
  hub_publish(w->hub, NULL, m, NULL);
  hub_deliver(w->port.hub);
  assert_string_equal(catch_up(w), "binary");
}

// The newest of a key comes although it leaves the reader out: then neither does.
static void test_except_on_the_newest(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  reader_block(&w->slow);
  feed(w, "t", "a1 b2");
  struct message *m = message_new(&(struct message_fields){
      .payload = slice_str("a3"), .topic = slice_str("t"), .key = slice_str("a"), .except = 1});
  hub_publish(w->hub, NULL, m, NULL);
  hub_deliver(w->port.hub);
  assert_string_equal(catch_up(w), "b2");
}

static void test_a_late_joiner_gets_the_newest_of_each_key(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  feed(w, "t", "a1 b2 c3 a4 5 6 7");
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "b2 c3 a4 5 6 7");
  feed(w, "t", "b8 9");
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "c3 a4 7 b8 9");
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_LAST), "9");
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

// As many keys outlive the ring as messages are in it, and as many bytes.
static void test_kept_keys_are_bounded(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  feed(w, "t", "a1 b2 c3 d4 e5 f6");
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "c3 d4 e5 f6");
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .bytes = 5});
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "c3 d4 e5 f6");
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .bytes = 3});
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "e5 f6");
  hub_rules_set(w->hub, NULL, 0);
  hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_int_equal(w->hub->kept_bytes, 0);
}

static void test_a_window_keeps_keys_while_there_are_subscribers(void **state) {
  struct world *w = *state;
  join(&w->quick, "t");
  feed(w, "t", "a1 b2 a3");
  publish_numbers(w->hub, "t", 1, HUB_WINDOW);
  hub_deliver(w->port.hub);
  assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "");  // for those who resume only
  join_after(&w->slow, "t", w->hub, 0);
  hub_deliver(w->port.hub);
  assert_int_equal(w->slow.event_count, 2 + HUB_WINDOW);
  assert_string_equal(w->slow.events[0].text, "b2");
  assert_string_equal(w->slow.events[1].text, "a3");
}

static void test_superseded_is_not_missed(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .lag = HUB_LAG_CLOSE});
  join(&w->slow, "t");
  uint64_t seen = publish_key(w->hub, "t", "a0", "a");
  hub_deliver(w->port.hub);
  told(&w->slow);
  reader_block(&w->slow);
  feed(w, "t", "a1 b2 a3 b4 a5 b6 a7 a8 a9");
  assert_false(w->slow.hub.is_ended);
  assert_true(join_after(&w->late, "t", w->hub, seen).recovered);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->late), "b6 a9");
  assert_string_equal(catch_up(w), "b6 a9");
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

static void test_gaps_count_what_has_no_key_and_dropped_keys(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  join(&w->slow, "t");
  reader_block(&w->slow);
  feed(w, "t", "1 a2 3 a4 b5 6 7");
  assert_string_equal(catch_up(w), "!2 a4 b5 6 7");  // 1 and 3
  reader_block(&w->slow);
  feed(w, "t", "c1 d2 e3 f4 5 6");  // c and d had to go, as had a and b, which it has
  assert_string_equal(catch_up(w), "!2 e3 f4 5 6");
}

// A gap is told once, however slowly the kept messages before it are taken.
static void test_a_gap_is_told_once(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4});
  join(&w->slow, "t");
  reader_block(&w->slow);
  feed(w, "t", "a1 2 b3 4 c5 6 7 8 9");
  reader_resume(&w->slow, 1);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "!2 a1");
  reader_resume(&w->slow, 1);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "b3");
  feed(w, "t", "10");  // and 6 is gone now
  assert_string_equal(catch_up(w), "!1 c5 7 8 9 10");
  assert_int_equal(hub_counters(w->hub)->lagged, 3);
}

// What was gone before somebody came is no gap in what it gets.
static void test_joining_late_is_no_gap(void **state) {
  struct world *w = *state;
  static const enum hub_lag lags[] = {HUB_LAG_SKIP, HUB_LAG_LATEST, HUB_LAG_CLOSE};
  for (int i = 0; i < 3; i++) {
    set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .lag = lags[i]});
    feed(w, "t", "a1 2 b3 4 5 6");
    assert_string_equal(late_is_told(w, "t", HUB_SINCE_FIRST), "a1 b3 5 6");
    assert_false(join_after(&w->late, "t", w->hub, 0).recovered);
    hub_deliver(w->port.hub);
    hub_leave(&w->late.hub, slice_str("t"));
    assert_string_equal(told(&w->late), "a1 b3 5 6");
  }
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

static void test_latest_counts_what_was_not_superseded(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3, .lag = HUB_LAG_LATEST});
  join(&w->slow, "t");
  reader_block(&w->slow);
  feed(w, "t", "a1 a2 b3 a4 b5 b6");
  assert_string_equal(catch_up(w), "a4 b6");  // nothing is lost: no jump
  reader_block(&w->slow);
  feed(w, "t", "1 c2 a3 b4 b5");
  assert_string_equal(catch_up(w), "!3 b5");  // 1, c2 and a3
  reader_block(&w->slow);
  feed(w, "t", "1 2 3 a4");
  assert_string_equal(catch_up(w), "!3 a4");
}

static void test_close_needs_a_real_loss(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .lag = HUB_LAG_CLOSE});
  join(&w->slow, "t");
  reader_block(&w->slow);
  feed(w, "t", "a1 b2 c3 d4 a5 b6 c7 d8");
  assert_false(w->slow.hub.is_ended);
  feed(w, "t", "e9 9");  // a5 has to go
  assert_true(w->slow.hub.is_ended);
  assert_string_equal(told(&w->slow), "!1");
}

// Catching up passes over many messages in small steps, whatever they add up to.
static void test_passing_over_many_ends(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 10000});
  for (int extra = -1; extra <= 1; extra++) {
    join(&w->slow, "t");
    join(&w->slow, "u");
    join(&w->slow, "v");
    reader_block(&w->slow);
    for (int i = 0; i < 1024 + extra; i++) publish_key(w->hub, "t", "t", "k");
    for (int i = 0; i < 2500; i++) publish_key(w->hub, "u", "u", "k");
    for (int i = 0; i < 1024 + extra; i++) publish_key(w->hub, "v", "v", "k");
    publish_key(w->hub, "t", "t!", "k");
    publish_key(w->hub, "u", "u!", "k");
    publish_key(w->hub, "v", "v!", "k");
    hub_deliver(w->port.hub);
    assert_string_equal(catch_up(w), "t! u! v!");
    assert_int_equal(hub_counters(w->hub)->conflated, 2 * (1024 + extra) + 2500);
    hub_counters(w->hub)->conflated = 0;
    hub_leave(&w->slow.hub, slice_str("t"));
    hub_leave(&w->slow.hub, slice_str("u"));
    hub_leave(&w->slow.hub, slice_str("v"));
  }
}

// Some superseded messages must be passed over between two that come, too.
static void test_passing_over_many_amid_others(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 10000});
  join(&w->slow, "t");
  reader_block(&w->slow);
  for (int i = 0; i < 3000; i++) publish_key(w->hub, "t", "old", i % 2 ? "a" : "b");
  publish(w->hub, "t", "x");
  for (int i = 0; i < 3000; i++) publish_key(w->hub, "t", "new", i % 2 ? "a" : "b");
  publish(w->hub, "t", "y");
  hub_deliver(w->port.hub);
  assert_string_equal(catch_up(w), "x new new y");
  assert_int_equal(hub_counters(w->hub)->conflated, 5998);
}

// What was passed over stays so in the steps that follow, however many others
// come first: else it would come late, after newer messages of other topics.
static void test_passed_over_messages_do_not_come_late(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  join(&w->slow, "u");
  reader_block(&w->slow);
  feed(w, "t", "1");
  publish_key(w->hub, "t", "old", "k");
  for (int i = 0; i < 100; i++) publish(w->hub, "u", "u");
  publish_key(w->hub, "t", "new", "k");
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_int_equal(w->slow.event_count, 102);
  for (size_t i = 1; i < 102; i++) assert_true(w->slow.events[i].seq > w->slow.events[i - 1].seq);
  assert_string_equal(w->slow.events[101].text, "new");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_behind_gets_the_newest_of_each_key),
      TEST(test_keeping_up_gets_all_of_a_burst),
      TEST(test_an_empty_key_is_none),
      TEST(test_a_key_may_be_on_binary_too),
      TEST(test_except_on_the_newest),
      TEST(test_a_late_joiner_gets_the_newest_of_each_key),
      TEST(test_kept_keys_are_bounded),
      TEST(test_a_window_keeps_keys_while_there_are_subscribers),
      TEST(test_superseded_is_not_missed),
      TEST(test_gaps_count_what_has_no_key_and_dropped_keys),
      TEST(test_a_gap_is_told_once),
      TEST(test_joining_late_is_no_gap),
      TEST(test_latest_counts_what_was_not_superseded),
      TEST(test_close_needs_a_real_loss),
      TEST(test_passing_over_many_amid_others),
      TEST(test_passed_over_messages_do_not_come_late),
      TEST(test_passing_over_many_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
