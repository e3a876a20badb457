// Live delivery: who gets what, once and in order, and how little work it is.
#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port ports[2];
  struct reader a, b, c;  // a and b on the first port, c on the second
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->ports[0], w->hub);
  port_open(&w->ports[1], w->hub);
  reader_open(&w->a, &w->ports[0], 1, FORM_ALL);
  reader_open(&w->b, &w->ports[0], 2, FORM_TEXT);
  reader_open(&w->c, &w->ports[1], 3, FORM_ALL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->a);
  reader_close(&w->b);
  reader_close(&w->c);
  assert_int_equal(hub_topic_count(w->hub), 0);
  hub_port_free(w->ports[0].hub);
  hub_port_free(w->ports[1].hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static void deliver_all(struct world *w) {
  hub_deliver(w->ports[0].hub);
  hub_deliver(w->ports[1].hub);
}

static void test_every_subscriber_gets_every_message(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->c, "t");
  publish(w->hub, "t", "x");
  publish(w->hub, "other", "no");
  publish(w->hub, "t", "y");
  assert_true(hub_port_has_work(w->ports[0].hub));
  deliver_all(w);
  assert_false(hub_port_has_work(w->ports[0].hub));
  assert_string_equal(told(&w->a), "x y");
  assert_string_equal(told(&w->b), "");
  assert_string_equal(told(&w->c), "x y");
  deliver_all(w);
  assert_string_equal(told(&w->a), "");
  assert_int_equal(hub_counters(w->hub)->published, 3);
  assert_int_equal(hub_counters(w->hub)->delivered, 4);
}

static void test_one_shared_batch_a_turn(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->b, "t");
  publish_numbers(w->hub, "t", 1, 100);
  deliver_all(w);
  assert_int_equal(w->a.call_count, 1);
  assert_int_equal(w->a.shared_count, 1);
  assert_int_equal(w->b.shared_count, 1);
  assert_int_equal(w->a.event_count, 100);
  assert_int_equal(hub_counters(w->hub)->encoded, 200);
}

static void test_wakes_are_coalesced(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->c, "t");
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < 10; i++) {
      hub_publish(w->hub, w->ports[0].hub, message_of("t", "x", 0, MESSAGE_TEXT), NULL);
    }
    assert_int_equal(w->ports[0].wake_count, 0);  // its own thread delivers before it sleeps
    assert_int_equal(w->ports[1].wake_count, round);
    deliver_all(w);
  }
  publish(w->hub, "t", "x");
  assert_int_equal(w->ports[0].wake_count, 1);
  assert_int_equal(w->ports[1].wake_count, 4);
}

static void test_except_leaves_the_sender_out(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->b, "t");
  join(&w->c, "t");
  publish_except(w->hub, "t", "from-a", 1);
  deliver_all(w);
  assert_string_equal(told(&w->a), "");
  assert_string_equal(told(&w->b), "from-a");
  assert_string_equal(told(&w->c), "from-a");
  const uint64_t excepts[] = {0, 1, 1, 2, 0, 1, 3, 1};
  for (int i = 0; i < 8; i++) {
    char text[2] = {(char)('0' + i), 0};
    publish_except(w->hub, "t", text, excepts[i]);
  }
  deliver_all(w);
  assert_string_equal(told(&w->a), "0 3 4 6");
  assert_string_equal(told(&w->b), "0 1 2 4 5 6 7");
  assert_string_equal(told(&w->c), "0 1 2 3 4 5 7");
  publish(w->hub, "t", "all");
  deliver_all(w);
  assert_string_equal(told(&w->a), "all");
}

static void test_counts_are_exact_over_ports(void **state) {
  struct world *w = *state;
  struct slice t = slice_str("t");
  assert_int_equal(hub_count(w->hub, t), 0);
  join(&w->a, "t");
  join(&w->a, "t");  // joining again is not another subscriber
  assert_int_equal(hub_count(w->hub, t), 1);
  join(&w->b, "t");
  join(&w->c, "t");
  assert_int_equal(hub_count(w->hub, t), 3);
  assert_int_equal(hub_leave(&w->b.hub, t), HUB_OK);
  assert_int_equal(hub_leave(&w->b.hub, t), HUB_NOT_JOINED);
  assert_int_equal(hub_count(w->hub, t), 2);
  hub_reader_close(&w->a.hub);
  assert_int_equal(hub_count(w->hub, t), 1);
  assert_int_equal(hub_topic_count(w->hub), 1);
  hub_leave(&w->c.hub, t);
  assert_int_equal(hub_topic_count(w->hub), 0);
}

static void test_limit_caps_subscribers(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .limit = 2});
  join(&w->a, "t");
  join(&w->c, "t");
  struct hub_join_options options = {0};
  assert_int_equal(hub_join(&w->b.hub, slice_str("t"), &options, NULL), HUB_LIMIT);
  join(&w->a, "t");  // one that is in may join again
  assert_int_equal(hub_count(w->hub, slice_str("t")), 2);
  hub_leave(&w->c.hub, slice_str("t"));
  join(&w->b, "t");
}

static void test_join_and_leave_amid_undelivered(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  publish(w->hub, "t", "1");
  join(&w->b, "t");
  publish(w->hub, "t", "2");
  join(&w->c, "t");
  publish(w->hub, "t", "3");
  hub_leave(&w->a.hub, slice_str("t"));
  deliver_all(w);
  assert_string_equal(told(&w->a), "");
  assert_string_equal(told(&w->b), "2 3");
  assert_string_equal(told(&w->c), "3");
  publish(w->hub, "t", "4");
  hub_leave(&w->b.hub, slice_str("t"));
  join(&w->b, "t");
  publish(w->hub, "t", "5");
  deliver_all(w);
  assert_string_equal(told(&w->b), "5");
  assert_string_equal(told(&w->c), "4 5");
}

static void test_topics_merge_in_seq_order(void **state) {
  struct world *w = *state;
  static const char *const topics[] = {"x", "y", "z"};
  for (int i = 0; i < 3; i++) join(&w->a, topics[i]);
  join(&w->b, "y");
  srand(3);
  for (int round = 0; round < 50; round++) {
    size_t count = (size_t)(rand() % 200);
    for (size_t i = 0; i < count; i++) publish(w->hub, topics[rand() % 3], "m");
    deliver_all(w);
    assert_int_equal(w->a.event_count, count);
    for (size_t i = 1; i < count; i++)
      assert_int_equal(w->a.events[i].seq, w->a.events[i - 1].seq + 1);
    told(&w->a);
  }
  assert_int_equal(w->b.shared_count, w->b.call_count);  // one topic: never merged
}

static void test_other_form_skips(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->b, "t");
  hub_publish(w->hub, NULL, message_of("t", "bin", 0, MESSAGE_BINARY), NULL);
  deliver_all(w);
  publish(w->hub, "t", "x");
  hub_publish(w->hub, NULL, message_of("t", "bin", 0, MESSAGE_BINARY), NULL);
  hub_publish(w->hub, NULL, message_of("t", "bin", 0, MESSAGE_BINARY), NULL);
  deliver_all(w);
  assert_int_equal(hub_counters(w->hub)->delivered, 5);
  assert_int_equal(hub_counters(w->hub)->skipped, 3);
  // And through the pump, which is given messages one by one.
  w->b.budget = 0;
  w->b.hub.is_blocked = true;
  hub_publish(w->hub, NULL, message_of("t", "bin", 0, MESSAGE_BINARY), NULL);
  deliver_all(w);
  reader_resume(&w->b, SIZE_MAX);
  deliver_all(w);
  assert_int_equal(hub_counters(w->hub)->skipped, 4);
}

// Encoded once per form in use, and everybody is handed the same bytes.
static void test_a_thousand_readers_encode_once(void **state) {
  struct world *w = *state;
  enum { COUNT = 1000, PORTS = 4 };
  struct port ports[PORTS];
  for (int i = 0; i < PORTS; i++) port_open(&ports[i], w->hub);
  struct reader *readers = mem_alloc(COUNT * sizeof *readers);
  for (unsigned i = 0; i < COUNT; i++) {
    reader_open(&readers[i], &ports[i % PORTS], 100 + i, i / PORTS % 2);
    join(&readers[i], "t");
  }
  for (unsigned round = 1; round <= 3; round++) {
    publish(w->hub, "t", "hello");
    for (int i = 0; i < PORTS; i++) hub_deliver(ports[i].hub);
    assert_int_equal(hub_counters(w->hub)->encoded, 2 * round);
    assert_int_equal(hub_counters(w->hub)->delivered, COUNT * round);
    for (unsigned i = 0; i < COUNT; i++) {
      assert_int_equal(readers[i].event_count, round);
      assert_int_equal(readers[i].shared_count, round);
      assert_ptr_equal(readers[i].bytes, readers[i / PORTS % 2 * PORTS].bytes);
    }
  }
  assert_ptr_not_equal(readers[0].bytes, readers[PORTS].bytes);
  for (unsigned i = 0; i < COUNT; i++) reader_close(&readers[i]);
  for (int i = 0; i < PORTS; i++) hub_port_free(ports[i].hub);
  free(readers);
}

// A form that nobody has is not made; keys, taps and replays make none either.
static void test_one_form_in_use_is_one_encoded(void **state) {
  struct world *w = *state;
  enum { COUNT = 1000 };
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
  struct reader *readers = mem_alloc(COUNT * sizeof *readers);
  struct reader tap;
  reader_open(&tap, &w->ports[0], 0, HUB_FORM_NONE);
  assert_int_equal(hub_join_pattern(&tap.hub, slice_str("*")), HUB_OK);
  for (unsigned i = 0; i < COUNT; i++) {
    reader_open(&readers[i], &w->ports[i % 2], 100 + i, FORM_TEXT);
    if (i % 3 > 0) join(&readers[i], "t");
  }
  publish_key(w->hub, "t", "hello", "k");
  deliver_all(w);
  for (unsigned i = 0; i < COUNT; i += 3)
    join_as(&readers[i], "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  deliver_all(w);
  assert_int_equal(hub_counters(w->hub)->encoded, 1);
  assert_int_equal(hub_counters(w->hub)->delivered, COUNT + 1);
  for (unsigned i = 0; i < COUNT; i++) {
    assert_string_equal(told(&readers[i]), "hello");
    reader_close(&readers[i]);
  }
  reader_close(&tap);
  hub_rules_set(w->hub, NULL, 0);
  hub_sweep(w->hub);
  free(readers);
}

static void test_large_turn_is_cut_into_chunks(void **state) {
  struct world *w = *state;
  join(&w->a, "t");
  join(&w->b, "t");
  w->b.budget = 20;
  static char big[40000];
  memset(big, 'x', sizeof big - 1);
  for (int i = 0; i < 30; i++) publish(w->hub, "t", big);
  deliver_all(w);
  assert_int_equal(w->a.event_count, 30);
  assert_true(w->a.call_count > 1);
  assert_int_equal(w->a.shared_count, w->a.call_count);
  assert_int_equal(w->b.event_count, 20);
  reader_resume(&w->b, SIZE_MAX);
  deliver_all(w);
  assert_int_equal(w->b.event_count, 30);
}

static void note_topic(void *arg, struct slice topic) {
  char *line = arg;
  strncat(line, topic.ptr, topic.len);
}

static void test_topics_in_order_of_joining(void **state) {
  struct world *w = *state;
  const char *topics[] = {"c", "a", "d", "b"};
  for (int i = 0; i < 4; i++) join(&w->a, topics[i]);
  join(&w->a, "c");
  hub_leave(&w->a.hub, slice_str("a"));
  join(&w->a, "a");
  char line[16] = "";
  hub_reader_topics(&w->a.hub, note_topic, line);
  assert_string_equal(line, "cdba");
  hub_leave(&w->a.hub, slice_str("c"));
  line[0] = '\0';
  hub_reader_topics(&w->a.hub, note_topic, line);
  assert_string_equal(line, "dba");
}

static struct hub *publishing;

static size_t publish_again(struct hub_reader *reader, const struct hub_batch *batch) {
  if (batch->messages[0]->seq < 3) {
    hub_publish(publishing, reader->port, message_of("t", "again", 0, MESSAGE_TEXT), NULL);
  }
  return batch->count;
}

// The port's thread may be about to sleep: it has to be told.
static void test_publishing_from_a_delivery_wakes(void **state) {
  struct world *w = *state;
  struct port port = {0};
  publishing = w->hub;
  port.hub =
      hub_port_new(w->hub, &(struct hub_port_ops){fixture_wake, publish_again, fixture_gap}, &port);
  assert_ptr_equal(hub_port_ctx(port.hub), &port);
  struct reader reader;
  reader_open(&reader, &port, 9, FORM_ALL);
  join(&reader, "t");
  hub_publish(w->hub, port.hub, message_of("t", "first", 0, MESSAGE_TEXT), NULL);
  assert_int_equal(port.wake_count, 0);
  for (int i = 0; i < 5; i++) hub_deliver(port.hub);
  assert_int_equal(port.wake_count, 2);
  assert_int_equal(hub_counters(w->hub)->published, 3);
  reader_close(&reader);
  hub_port_free(port.hub);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_subscriber_gets_every_message),
      TEST(test_one_shared_batch_a_turn),
      TEST(test_wakes_are_coalesced),
      TEST(test_except_leaves_the_sender_out),
      TEST(test_counts_are_exact_over_ports),
      TEST(test_limit_caps_subscribers),
      TEST(test_join_and_leave_amid_undelivered),
      TEST(test_topics_merge_in_seq_order),
      TEST(test_other_form_skips),
      TEST(test_a_thousand_readers_encode_once),
      TEST(test_one_form_in_use_is_one_encoded),
      TEST(test_large_turn_is_cut_into_chunks),
      TEST(test_topics_in_order_of_joining),
      TEST(test_publishing_from_a_delivery_wakes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
