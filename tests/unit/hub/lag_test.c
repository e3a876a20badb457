// Readers that cannot keep up: they block, go on from the log, and when the
// log has moved on they are told exactly how much they missed.
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port;
  struct reader slow, quick;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  reader_open(&w->slow, &w->port, 1, FORM_ALL);
  reader_open(&w->quick, &w->port, 2, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->slow);
  reader_close(&w->quick);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

// One message a turn, so that retention takes hold while the reader is blocked.
static void publish_slowly(struct world *w, const char *topic, unsigned first, unsigned last) {
  for (unsigned i = first; i <= last; i++) {
    publish_numbers(w->hub, topic, i, i);
    hub_deliver(w->port.hub);
  }
}

static void test_a_blocked_reader_goes_on_where_it_was(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  join(&w->quick, "t");
  w->slow.budget = 3;
  publish_numbers(w->hub, "t", 1, 10);
  hub_deliver(w->port.hub);
  assert_true(w->slow.hub.is_blocked);
  assert_string_equal(told(&w->slow), "1 2 3");
  assert_int_equal(w->quick.event_count, 10);
  publish_slowly(w, "t", 11, 12);
  assert_string_equal(told(&w->slow), "");
  assert_false(hub_port_has_work(w->port.hub));
  reader_resume(&w->slow, 5);
  assert_true(hub_port_has_work(w->port.hub));
  assert_string_equal(told(&w->slow), "");  // not before the next delivery
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "4 5 6 7 8");
  reader_resume(&w->slow, SIZE_MAX);
  publish_numbers(w->hub, "t", 13, 13);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "9 10 11 12 13");
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

static void test_blocked_just_when_all_is_taken(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  w->slow.budget = 2;
  publish_numbers(w->hub, "t", 1, 2);
  hub_deliver(w->port.hub);
  assert_true(w->slow.hub.is_blocked);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  publish_numbers(w->hub, "t", 3, 3);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "1 2 3");
}

static void test_skip_goes_on_at_the_oldest(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4});
  join(&w->slow, "t");
  publish_slowly(w, "t", 1, 2);
  reader_block(&w->slow);
  publish_slowly(w, "t", 3, 20);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_int_equal(w->slow.events[2].policy, HUB_LAG_SKIP);
  assert_string_equal(w->slow.events[2].text, "t");
  assert_string_equal(told(&w->slow), "1 2 !14 17 18 19 20");
  assert_int_equal(hub_counters(w->hub)->lagged, 14);
}

static void test_latest_goes_on_at_the_newest(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4, .lag = HUB_LAG_LATEST});
  join(&w->slow, "t");
  reader_block(&w->slow);
  publish_slowly(w, "t", 1, 4);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "1 2 3 4");  // still kept: no lag
  reader_block(&w->slow);
  publish_slowly(w, "t", 5, 20);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_int_equal(w->slow.events[0].policy, HUB_LAG_LATEST);
  assert_string_equal(told(&w->slow), "!15 20");
}

static void test_close_ends_the_reader(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4, .lag = HUB_LAG_LATEST});
  join_as(&w->slow, "t", HUB_SINCE_NOW, NULL, HUB_LAG_CLOSE);  // wins over the rule
  join(&w->slow, "u");
  reader_block(&w->slow);
  publish_slowly(w, "t", 1, 4);
  assert_false(w->slow.hub.is_ended);
  publish_slowly(w, "t", 5, 5);
  assert_true(w->slow.hub.is_ended);  // told although it is blocked
  assert_int_equal(w->slow.events[0].policy, HUB_LAG_CLOSE);
  assert_string_equal(told(&w->slow), "!1");
  reader_resume(&w->slow, SIZE_MAX);
  publish_slowly(w, "u", 1, 5);
  publish_slowly(w, "t", 6, 9);
  assert_string_equal(told(&w->slow), "");
}

static void test_joining_again_without_a_policy_keeps_it(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4});
  join_as(&w->slow, "t", HUB_SINCE_NOW, NULL, HUB_LAG_LATEST);
  join(&w->slow, "t");
  reader_block(&w->slow);
  publish_slowly(w, "t", 1, 9);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "!8 9");
  join_as(&w->slow, "t", HUB_SINCE_NOW, NULL, HUB_LAG_SKIP);
  reader_block(&w->slow);
  publish_slowly(w, "t", 11, 19);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "!5 16 17 18 19");
}

static void test_close_by_the_pump(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 4, .lag = HUB_LAG_CLOSE});
  join(&w->slow, "t");
  reader_block(&w->slow);
  publish_numbers(w->hub, "t", 1, 9);
  hub_deliver(w->port.hub);  // evicts after it looked
  assert_false(w->slow.hub.is_ended);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_true(w->slow.hub.is_ended);
  assert_string_equal(told(&w->slow), "!5");
}

static void test_gaps_of_several_topics(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 2});
  join(&w->slow, "a");
  join_as(&w->slow, "b", HUB_SINCE_NOW, NULL, HUB_LAG_LATEST);
  join(&w->slow, "c");
  reader_block(&w->slow);
  publish_slowly(w, "a", 1, 5);
  publish_slowly(w, "b", 11, 16);
  publish_slowly(w, "c", 21, 22);
  publish_slowly(w, "a", 6, 6);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  uint64_t missed_a = 0, missed_b = 0;
  for (int i = 0; i < 2; i++) {
    assert_true(w->slow.events[i].is_gap);
    *(w->slow.events[i].text[0] == 'a' ? &missed_a : &missed_b) = w->slow.events[i].missed;
  }
  assert_int_equal(missed_a, 4);
  assert_int_equal(missed_b, 5);
  memmove(w->slow.events, w->slow.events + 2, (w->slow.event_count -= 2) * sizeof *w->slow.events);
  assert_string_equal(told(&w->slow), "5 16 21 22 6");
}

// However much comes meanwhile, the one gap is all it has missed.
static void test_what_is_behind_a_gap_waits_for_a_reader_that_stops_there(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 2});
  w->slow.stops_at_gaps = true;
  join(&w->slow, "a");
  join(&w->slow, "b");
  reader_block(&w->slow);
  publish_slowly(w, "a", 1, 5);
  publish_slowly(w, "b", 11, 12);
  reader_resume(&w->slow, SIZE_MAX);
  publish_numbers(w->hub, "a", 6, 8);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "!5");
  publish_numbers(w->hub, "b", 13, 15);
  publish_numbers(w->hub, "a", 9, 10);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "11 12 6 7 8 13 14 15 9 10");
  assert_false(hub_port_has_work(w->port.hub));
  assert_int_equal(hub_counters(w->hub)->evicted, 8 + 3);  // it is waited for no more
}

// The port's thread would sleep, and what waits for its next delivery with it.
static void test_a_gap_wakes_the_port_for_another_delivery(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  join(&w->slow, "t");
  reader_block(&w->slow);
  publish_slowly(w, "t", 1, 5);
  reader_resume(&w->slow, SIZE_MAX);
  unsigned before = w->port.wake_count;
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "!3 4 5");
  assert_int_equal(w->port.wake_count, before + 1);
  hub_deliver(w->port.hub);
  assert_false(hub_port_has_work(w->port.hub));
}

static void test_random_takes_lose_and_double_nothing(void **state) {
  struct world *w = *state;
  static const char *const topics[] = {"a", "b", "c"};
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .history = 100000});
  srand(11);
  for (int i = 0; i < 3; i++) join(&w->slow, topics[i]);
  join(&w->quick, "b");
  w->slow.budget = w->quick.budget = 1;
  uint64_t count_all = 0, count_b = 0;
  for (int round = 0; round < 2000; round++) {
    for (int i = rand() % 8; i > 0; i--) {
      int topic = rand() % 3;
      publish(w->hub, topics[topic], topics[topic]);
      count_all++;
      count_b += topic == 1;
    }
    if (rand() % 2) reader_resume(&w->slow, 1 + (size_t)rand() % 30);
    if (rand() % 2) reader_resume(&w->quick, 1 + (size_t)rand() % 10);
    hub_deliver(w->port.hub);
  }
  reader_resume(&w->slow, SIZE_MAX);
  reader_resume(&w->quick, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_int_equal(w->slow.event_count, count_all);
  for (size_t i = 0; i < count_all; i++) assert_true(w->slow.events[i].seq == i + 1);
  assert_int_equal(w->quick.event_count, count_b);
  for (size_t i = 1; i < count_b; i++) {
    assert_true(w->quick.events[i].seq > w->quick.events[i - 1].seq);
  }
}

static size_t take_one(struct hub_reader *hub_reader, const struct hub_batch *batch) {
  struct reader *r = list_entry(hub_reader, struct reader, hub);
  check_batch(r, batch);
  r->event_count++;
  return 1;
}

// A reader that takes little without saying that it is blocked is asked again,
// and does not hold up the delivery.
static void test_half_taken_without_blocking(void **state) {
  struct world *w = *state;
  struct port port = {0};
  port.hub =
      hub_port_new(w->hub, &(struct hub_port_ops){fixture_wake, take_one, fixture_gap}, &port);
  struct reader reader;
  reader_open(&reader, &port, 3, FORM_ALL);
  join(&reader, "t");
  publish_numbers(w->hub, "t", 1, 10);
  for (int i = 0; i < 20; i++) hub_deliver(port.hub);
  assert_int_equal(reader.event_count, 10);
  reader_close(&reader);
  hub_port_free(port.hub);
}

static void test_leave_and_close_while_blocked(void **state) {
  struct world *w = *state;
  join(&w->slow, "t");
  join(&w->slow, "u");
  join(&w->quick, "t");
  reader_block(&w->slow);
  publish_slowly(w, "t", 1, 3);
  publish_slowly(w, "u", 1, 3);
  hub_leave(&w->slow.hub, slice_str("t"));
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "1 2 3");
  reader_block(&w->slow);
  publish_slowly(w, "u", 4, 4);
  reader_resume(&w->slow, SIZE_MAX);
  hub_reader_close(&w->slow.hub);  // while it waits to be pumped
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->slow), "");
  assert_string_equal(told(&w->quick), "1 2 3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_blocked_reader_goes_on_where_it_was),
      TEST(test_blocked_just_when_all_is_taken),
      TEST(test_skip_goes_on_at_the_oldest),
      TEST(test_latest_goes_on_at_the_newest),
      TEST(test_close_ends_the_reader),
      TEST(test_joining_again_without_a_policy_keeps_it),
      TEST(test_close_by_the_pump),
      TEST(test_gaps_of_several_topics),
      TEST(test_what_is_behind_a_gap_waits_for_a_reader_that_stops_there),
      TEST(test_a_gap_wakes_the_port_for_another_delivery),
      TEST(test_random_takes_lose_and_double_nothing),
      TEST(test_half_taken_without_blocking),
      TEST(test_leave_and_close_while_blocked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
