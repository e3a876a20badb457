// What would hold the hub's lock for long is done in steps, and those who look see the end
// of it all the same.
#include "base/fake_clock.h"
#include "base/mem.h"
#include "hub/topics.h"
#include "hub_fixture.h"

enum { MANY = 20000 };

struct world {
  struct hub *hub;
  struct port port;
  struct reader reader;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->port, w->hub);
  reader_open(&w->reader, &w->port, 1, FORM_ALL);
  static const struct hub_rule rules[] = {
      {.pattern = "log", .history = 10 * MANY, .bytes = 1u << 30},
      {.pattern = "ttl", .history = 10 * MANY, .ttl_ms = 50}};
  hub_rules_set(w->hub, rules, 2);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->reader);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static size_t kept(const struct world *w, const char *topic) {
  const struct topic *t = topics_find(w->hub, slice_str(topic));
  return t != NULL ? topic_kept_count(t) : 0;
}

static void publish_many(struct world *w, const char *topic) {
  for (int i = 0; i < MANY; i++) publish(w->hub, topic, "x");
}

// One call drops a step; who needs the log as it should be gets it so.
static void test_trimming_goes_in_steps(void **state) {
  struct world *w = *state;
  publish_many(w, "log");
  set_rule(w->hub, (struct hub_rule){.pattern = "log", .history = 10});
  publish(w->hub, "log", "newest");
  assert_int_equal(kept(w, "log"), MANY + 1 - TOPIC_TRIM_STEP);
  const struct hub_history_options all = {.since = HUB_SINCE_FIRST};
  struct hub_history history = hub_history_read(w->hub, slice_str("log"), &all);
  assert_int_equal(history.count, 10);
  assert_int_equal(kept(w, "log"), 10);
  hub_history_free(&history);
  assert_int_equal(hub_counters(w->hub)->evicted, MANY + 1 - 10);
}

static void test_nothing_past_its_ttl_is_replayed(void **state) {
  struct world *w = *state;
  publish_many(w, "ttl");
  fake_clock_ms += 50;
  publish(w->hub, "ttl", "fresh");
  assert_true(kept(w, "ttl") > 1);
  join_as(&w->reader, "ttl", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "fresh");
}

static void test_sweeping_drops_all_that_is_due(void **state) {
  struct world *w = *state;
  publish_many(w, "log");
  hub_rules_set(w->hub, NULL, 0);
  hub_sweep(w->hub);
  assert_int_equal(hub_topic_count(w->hub), 0);
  assert_int_equal(w->hub->kept_bytes, 0);
}

// What a port has delivered goes, also when that is a lot.
static void test_after_a_turn_of_many(void **state) {
  struct world *w = *state;
  join(&w->reader, "none");
  publish_many(w, "none");
  assert_int_equal(kept(w, "none"), MANY);
  hub_deliver(w->port.hub);
  assert_int_equal(w->reader.event_count, MANY);
  assert_int_equal(kept(w, "none"), HUB_WINDOW);
}

static void test_a_tap_that_goes_leaves_nothing(void **state) {
  struct world *w = *state;
  struct reader tap;
  reader_open(&tap, &w->port, 0, HUB_FORM_NONE);
  assert_int_equal(hub_join_pattern(&tap.hub, slice_str("stray/*")), HUB_OK);
  publish_many(w, "stray/a");
  reader_close(&tap);
  assert_false(list_is_empty(&w->hub->doomed));
  hub_sweep(w->hub);
  assert_true(list_is_empty(&w->hub->doomed));
  reader_open(&tap, &w->port, 0, HUB_FORM_NONE);
  assert_int_equal(hub_join_pattern(&tap.hub, slice_str("stray/*")), HUB_OK);
  publish_many(w, "stray/a");
  reader_close(&tap);  // hub_free frees the rest
}

// ---- a log that is read while others change it ----------------------------

struct writer {
  struct hub *hub;
  atomic_bool is_over;
};

static void *write_on(void *arg) {
  struct writer *writer = arg;
  while (!atomic_load(&writer->is_over)) publish(writer->hub, "log", "x");
  return NULL;
}

// Each list is the log at some instant: no hole in it, however fast messages come and go.
static void test_history_has_no_holes(void **state) {
  struct world *w = *state;
  struct writer writer = {.hub = w->hub};
  pthread_t thread;
  set_rule(w->hub, (struct hub_rule){.pattern = "log", .history = 3000});
  for (int i = 0; i < 3000; i++) publish(w->hub, "log", "x");
  pthread_create(&thread, NULL, write_on, &writer);
  for (int round = 0; round < 200; round++) {
    const struct hub_history_options options = {.is_reverse = round % 2};
    struct hub_history history = hub_history_read(w->hub, slice_str("log"), &options);
    assert_true(history.count >= 3000);
    for (size_t i = 1; i < history.count; i++) {
      uint64_t older = history.messages[i - 1]->seq, newer = history.messages[i]->seq;
      assert_int_equal(options.is_reverse ? older - newer : newer - older, 1);
    }
    hub_history_free(&history);
  }
  atomic_store(&writer.is_over, true);
  pthread_join(thread, NULL);
}

// ---- topics that are listed while others come ------------------------------

struct lister {
  struct hub *hub;
  unsigned asked, most;  // how often; from then on it is over
  unsigned born;
};

// Called without the lock, or this would never return.
static bool make_topic(void *ctx) {
  struct lister *lister = ctx;
  char name[24];
  if (lister->born < MANY) {
    snprintf(name, sizeof name, "new/%u", lister->born++);
    publish(lister->hub, name, "x");
  }
  return ++lister->asked > lister->most;
}

static void make_topics(struct world *w) {
  set_rule(w->hub, (struct hub_rule){.pattern = "**", .history = 1});
  for (int i = 0; i < MANY; i++) {
    char name[16];
    snprintf(name, sizeof name, "%d", i);
    publish(w->hub, name, "x");
  }
}

// The map moves its entries again and again meanwhile. Never is all done in one hold of the lock.
static void test_topics_are_listed_in_steps(void **state) {
  struct world *w = *state;
  make_topics(w);
  struct lister lister = {.hub = w->hub, .most = UINT32_MAX};
  const struct hub_topics_query query = {slice_str("*"), SIZE_MAX, make_topic, &lister};
  size_t count;
  bool has_more;
  struct hub_topic_info *found = hub_topics(w->hub, &query, &count, &has_more);
  assert_int_equal(count, MANY);
  assert_false(has_more);
  assert_true(lister.asked > MANY / 1024);
  free(found);
}

static void test_a_list_of_topics_ends_early(void **state) {
  struct world *w = *state;
  make_topics(w);
  struct lister lister = {.hub = w->hub, .born = MANY, .most = 4};
  const struct hub_topics_query query = {slice_str("*"), SIZE_MAX, make_topic, &lister};
  size_t count;
  bool has_more;
  struct hub_topic_info *found = hub_topics(w->hub, &query, &count, &has_more);
  assert_true(has_more);
  assert_in_range(count, 1, MANY / 2);
  assert_int_equal(lister.asked, 5);
  free(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_trimming_goes_in_steps),         TEST(test_nothing_past_its_ttl_is_replayed),
      TEST(test_sweeping_drops_all_that_is_due), TEST(test_after_a_turn_of_many),
      TEST(test_a_tap_that_goes_leaves_nothing), TEST(test_history_has_no_holes),
      TEST(test_topics_are_listed_in_steps),     TEST(test_a_list_of_topics_ends_early),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
