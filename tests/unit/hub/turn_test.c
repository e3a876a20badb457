// What is published while a port delivers: from within its own callbacks here, as
// by other threads. It belongs to the next turn, and this one must not be the
// worse for it.
#include <string.h>

#include "hub_fixture.h"

struct world {
  struct hub *hub;
  struct port port;
  struct reader slow, trigger;
  const char *const *to_publish;  // by the next delivery to the trigger: text, key, ..., NULL
};

static size_t deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct world *w = list_entry(hub_port_ctx(reader->port), struct world, port);
  size_t taken = fixture_deliver(reader, batch);
  const char *const *next = reader == &w->trigger.hub ? w->to_publish : NULL;
  for (; next != NULL && *next != NULL; next += 2) publish_key(w->hub, "t", next[0], next[1]);
  if (reader == &w->trigger.hub) w->to_publish = NULL;
  return taken;
}

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  const struct hub_port_ops ops = {fixture_wake, deliver, fixture_gap};
  w->port.hub = hub_port_new(w->hub, &ops, &w->port);
  reader_open(&w->slow, &w->port, 1, FORM_ALL);
  reader_open(&w->trigger, &w->port, 2, FORM_ALL);
  join(&w->slow, "t");
  join(&w->trigger, "u");
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->slow);
  reader_close(&w->trigger);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

// What the slow reader is told by a delivery in the middle of which these come.
static const char *deliver_amid(struct world *w, const char *const *to_publish) {
  w->to_publish = to_publish;
  publish(w->hub, "u", "pull the trigger");
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_null(w->to_publish);
  return told(&w->slow);
}

static const char *next_turn(struct world *w) {
  hub_deliver(w->port.hub);
  return told(&w->slow);
}

static void test_a_later_message_supersedes_nothing_yet(void **state) {
  struct world *w = *state;
  reader_block(&w->slow);
  publish_key(w->hub, "t", "a1", "a");
  publish_key(w->hub, "t", "a2", "a");
  publish_key(w->hub, "t", "b3", "b");
  hub_deliver(w->port.hub);
  assert_string_equal(deliver_amid(w, (const char *const[]){"a4", "a", NULL}), "a2 b3");
  assert_string_equal(next_turn(w), "a4");
}

// The last there was is superseded and gone: there is nothing to take, and with
// that the reader has caught up.
static void test_who_had_nothing_to_take_keeps_up(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 1});
  reader_block(&w->slow);
  publish_key(w->hub, "t", "a1", "a");
  hub_deliver(w->port.hub);
  assert_string_equal(deliver_amid(w, (const char *const[]){"a2", "a", NULL}), "");
  publish_key(w->hub, "t", "a3", "a");
  assert_string_equal(next_turn(w), "a2 a3");
  assert_int_equal(hub_counters(w->hub)->lagged, 0);
}

static void test_gaps_amid_a_delivery(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 1});
  reader_block(&w->slow);
  publish_key(w->hub, "t", "a1", "a");
  publish_key(w->hub, "t", "2", "");
  publish_key(w->hub, "t", "3", "");
  hub_deliver(w->port.hub);
  const char *const burst[] = {"4", "", "5", "", "6", "", NULL};
  assert_string_equal(deliver_amid(w, burst), "!2 a1");
  assert_string_equal(next_turn(w), "4 5 6");  // undelivered, so all of them
  reader_block(&w->slow);
  publish_key(w->hub, "t", "7", "");
  hub_deliver(w->port.hub);
  assert_string_equal(deliver_amid(w, burst), "!1");
  assert_string_equal(next_turn(w), "4 5 6");
}

// Where nothing of the turn is left to jump to, it goes on at the next one.
static void test_latest_amid_a_delivery(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 1, .lag = HUB_LAG_LATEST});
  reader_block(&w->slow);
  publish_key(w->hub, "t", "1", "");
  hub_deliver(w->port.hub);
  assert_string_equal(deliver_amid(w, (const char *const[]){"2", "", "3", "", NULL}), "!1");
  assert_string_equal(next_turn(w), "2 3");
}

// What a message of the next turn supersedes was jumped over all the same.
static void test_latest_counts_without_the_next_turn(void **state) {
  struct world *w = *state;
  struct hub_rule rule = {.pattern = "t", .history = 3, .lag = HUB_LAG_LATEST};
  set_rule(w->hub, rule);
  reader_block(&w->slow);
  publish_key(w->hub, "t", "1", "");
  publish_key(w->hub, "t", "a2", "a");
  publish_key(w->hub, "t", "3", "");
  publish_key(w->hub, "t", "4", "");
  hub_deliver(w->port.hub);
  rule.history = 10;
  set_rule(w->hub, rule);
  assert_string_equal(deliver_amid(w, (const char *const[]){"a5", "a", NULL}), "!3 4");
  assert_string_equal(next_turn(w), "a5");
}

// Other topics are not overtaken by what came later.
static void test_order_amid_a_delivery(void **state) {
  struct world *w = *state;
  join(&w->slow, "v");
  reader_block(&w->slow);
  publish(w->hub, "v", "v1");
  hub_deliver(w->port.hub);
  publish(w->hub, "v", "v2");
  assert_string_equal(deliver_amid(w, (const char *const[]){"a3", "a", "4", "", NULL}), "v1 v2");
  publish(w->hub, "v", "v5");
  assert_string_equal(next_turn(w), "a3 4 v5");
}

// Of a long log a delivery brings a part, so that others have their turns. What is left stays,
// whatever retention says: it is not the reader that is slow.
static void test_a_long_replay_takes_several_deliveries(void **state) {
  struct world *w = *state;
  enum { KEPT = 60, LIVE = 30, LARGE = 65536 };
  static char large[LARGE + 1];
  memset(large, 'x', LARGE);
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = KEPT, .bytes = 2 * KEPT * LARGE});
  reader_block(&w->slow);
  for (int i = 0; i < KEPT; i++) publish(w->hub, "t", large);
  hub_deliver(w->port.hub);
  join_as(&w->slow, "t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  reader_resume(&w->slow, SIZE_MAX);
  hub_deliver(w->port.hub);
  assert_in_range(w->slow.event_count, 1, KEPT / 2);
  for (int i = 0; i < LIVE; i++) publish(w->hub, "t", "live");
  while (hub_port_has_work(w->port.hub)) hub_deliver(w->port.hub);
  assert_int_equal(w->slow.event_count, KEPT + LIVE);
  for (size_t i = 0; i < w->slow.event_count; i++) assert_false(w->slow.events[i].is_gap);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_later_message_supersedes_nothing_yet),
      TEST(test_who_had_nothing_to_take_keeps_up),
      TEST(test_gaps_amid_a_delivery),
      TEST(test_latest_amid_a_delivery),
      TEST(test_latest_counts_without_the_next_turn),
      TEST(test_order_amid_a_delivery),
      TEST(test_a_long_replay_takes_several_deliveries),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
