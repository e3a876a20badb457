// Questions to the hub: what a topic keeps, held against a plain model, and
// which topics there are.
#include "base/clock.h"
#include "hub/topics.h"
#include "hub_fixture.h"

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

// "1 2 3", and " ?" when it is not known whether something is missing.
static const char *read_line(struct world *w, const char *topic,
                             struct hub_history_options options) {
  static char line[4096];
  size_t used = 0;
  line[0] = '\0';
  struct hub_history history = hub_history_read(w->hub, slice_str(topic), &options);
  for (size_t i = 0; i < history.count; i++) {
    struct slice text = message_payload(history.messages[i]);
    used += (size_t)sprintf(line + used, "%s%.*s", i > 0 ? " " : "", (int)text.len, text.ptr);
  }
  if (!history.missed_known) sprintf(line + used, " ?");
  hub_history_free(&history);
  assert_null(history.messages);
  return line;
}

// ---- against a model -----------------------------------------------------

enum { COUNT = 60 };

struct kept {
  uint64_t seq;
  bool is_kept;
};

static void check_read(struct world *w, const struct kept *all, uint64_t lost_seq,
                       const struct hub_history_options *options, uint64_t id) {
  uint64_t expected[COUNT];
  size_t count = 0;
  for (size_t i = 0; i < COUNT; i++) {
    if (!all[i].is_kept) continue;
    if (options->since == HUB_SINCE_ID && !options->is_reverse && all[i].seq <= id) continue;
    if (options->since == HUB_SINCE_ID && options->is_reverse && all[i].seq >= id) continue;
    if (options->since == HUB_SINCE_LAST) count = 0;
    expected[count++] = all[i].seq;
  }
  size_t wanted = options->limit > 0 && options->limit < count ? options->limit : count;
  struct hub_history history = hub_history_read(w->hub, slice_str("t"), options);
  assert_int_equal(history.count, wanted);
  for (size_t i = 0; i < wanted; i++) {
    assert_int_equal(history.messages[i]->seq, expected[options->is_reverse ? count - 1 - i : i]);
  }
  bool by_id = options->since == HUB_SINCE_ID, is_after = by_id && !options->is_reverse;
  assert_int_equal(history.recovered, by_id && (!is_after || id >= lost_seq));
  assert_int_equal(history.missed_known, !is_after || id >= lost_seq);
  hub_history_free(&history);
}

static void check_all_reads(struct world *w, const struct kept *all, uint64_t lost_seq,
                            uint64_t newest) {
  static const size_t limits[] = {0, 1, 2, 7, 20, 59, 60, 1000, SIZE_MAX};
  static const enum hub_since sinces[] = {HUB_SINCE_NOW, HUB_SINCE_FIRST, HUB_SINCE_LAST};
  for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
    for (int is_reverse = 0; is_reverse < 2; is_reverse++) {
      struct hub_history_options options = {.limit = limits[l], .is_reverse = is_reverse};
      for (int i = 0; i < 3; i++) {
        options.since = sinces[i];
        check_read(w, all, lost_seq, &options, 0);
      }
      options.since = HUB_SINCE_ID;
      for (uint64_t id = 0; id <= newest; id++) {
        char text[HUB_ID_MAX];
        hub_id_format(w->hub, id, text);
        options.id = slice_str(text);
        check_read(w, all, lost_seq, &options, id);
      }
    }
  }
}

// Every message with i % mod == 0 has a key, one of three; the ring is the last 10.
static void test_reads_in_all_combinations(void **state) {
  struct world *w = *state;
  static const char *const keys[] = {"a", "b", "c"};
  for (size_t mod = 1; mod <= 12; mod++) {
    set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 10});
    struct kept all[COUNT];
    size_t newest[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    uint64_t lost_seq = 0, seq = 0;
    for (size_t i = 0; i < COUNT; i++) {
      size_t key = i / mod % 3;
      if (i % 5 == 0) publish(w->hub, "elsewhere", "x");
      seq = publish_key(w->hub, "t", "x", i % mod == 0 ? keys[key] : "");
      all[i] = (struct kept){seq, i + 10 >= COUNT};
      if (i % mod == 0) newest[key] = i;
      if (i % mod != 0 && i + 10 < COUNT) lost_seq = seq;
    }
    for (int k = 0; k < 3; k++) {
      if (newest[k] != SIZE_MAX) all[newest[k]].is_kept = true;
    }
    check_all_reads(w, all, lost_seq, seq);
    hub_rules_set(w->hub, NULL, 0);
    hub_sweep(w->hub);
    assert_int_equal(hub_topic_count(w->hub), 0);
    w->hub->vanished[0] = 0;
    memset(w->hub->vanished, 0, sizeof w->hub->vanished);
  }
}

// As the clock was then, and never again.
static void test_time_of_a_message(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  double before = clock_wall_s();
  publish(w->hub, "t", "1");
  double after = clock_wall_s(), first = 0;
  w->hub->wall_offset_ns += 3600 * (int64_t)1000000000;
  for (int i = 0; i < 2; i++) {
    struct hub_history history =
        hub_history_read(w->hub, slice_str("t"), &(struct hub_history_options){0});
    double time = (double)history.messages[0]->time_ns / 1e9;
    assert_true(time > before - 0.001 && time < after + 0.001);
    if (i == 1) assert_true(time == first);
    first = time;
    hub_history_free(&history);
    hub_sweep(w->hub);
  }
  // A clock that was set is seen by the next sweep.
  assert_true(llabs(w->hub->wall_offset_ns - clock_wall_offset_ns()) < 1000000000);
}

// ---- pointed cases -------------------------------------------------------

static void test_topics_that_are_not_there(void **state) {
  struct world *w = *state;
  const struct hub_history_options all = {.since = HUB_SINCE_FIRST};
  assert_string_equal(read_line(w, "t", all), "");
  assert_string_equal(read_line(w, "", all), "");
  assert_string_equal(read_line(w, "a\nb", all), "");
  char id[HUB_ID_MAX];
  uint64_t seq = publish(w->hub, "t", "to nobody");
  hub_id_format(w->hub, seq - 1, id);
  const struct hub_history_options after = {.since = HUB_SINCE_ID, .id = slice_str(id)};
  assert_string_equal(read_line(w, "t", after), " ?");
  assert_string_equal(read_line(w, "u", after), "");
  assert_int_equal(hub_topic_count(w->hub), 0);
}

static void test_unusable_ids(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  publish_numbers(w->hub, "t", 1, 5);
  char future[HUB_ID_MAX], zero[HUB_ID_MAX];
  hub_id_format(w->hub, 6, future);
  hub_id_format(w->hub, 0, zero);
  const char *const ids[] = {"", "garbage", future, NULL};
  for (int i = 0; i < 4; i++) {
    struct hub_history_options options = {.since = HUB_SINCE_ID, .id = slice_str(ids[i])};
    assert_string_equal(read_line(w, "t", options), "3 4 5 ?");
    options.is_reverse = true;  // nothing is before an id that never was
    assert_string_equal(read_line(w, "t", options), " ?");
  }
  // Who joined before the first message of all stands there.
  struct hub_history_options options = {.since = HUB_SINCE_ID, .id = slice_str(zero)};
  options.is_reverse = true;
  assert_string_equal(read_line(w, "t", options), "");
}

static void test_superseded_messages_are_history_too(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 3});
  const char *const texts[] = {"1", "2", "3", "4"};
  for (int i = 0; i < 4; i++) publish_key(w->hub, "t", texts[i], "k");
  const struct hub_history_options all = {.since = HUB_SINCE_FIRST};
  assert_string_equal(read_line(w, "t", all), "2 3 4");
  publish_numbers(w->hub, "t", 5, 7);
  assert_string_equal(read_line(w, "t", all), "4 5 6 7");
}

// When only the newest of a key is left, that is the last message there is.
static void test_last_of_what_outlived_the_ring(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  const char *const keys[] = {"a", "b", ""};
  const char *const texts[] = {"a1", "b2", "long enough"};
  for (int i = 0; i < 3; i++) publish_key(w->hub, "t", texts[i], keys[i]);
  publish_key(w->hub, "t", "longer than allowed", "");
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2, .bytes = 8});
  const struct hub_history_options last = {.since = HUB_SINCE_LAST};
  assert_string_equal(read_line(w, "t", last), "b2");
  join_as(&w->reader, "t", HUB_SINCE_LAST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "b2");
  publish(w->hub, "t", "3");
  hub_deliver(w->port.hub);
  assert_string_equal(told(&w->reader), "3");
}

static void test_reading_keeps_what_was_read(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .history = 2});
  publish_numbers(w->hub, "t", 1, 2);
  struct hub_history_options all = {.since = HUB_SINCE_FIRST};
  struct hub_history history = hub_history_read(w->hub, slice_str("t"), &all);
  publish_numbers(w->hub, "t", 3, 9);
  assert_true(slice_equal(message_payload(history.messages[0]), slice_str("1")));
  hub_history_free(&history);
}

// ---- topics --------------------------------------------------------------

static void test_topics(void **state) {
  struct world *w = *state;
  size_t count = 1;
  bool has_more = true;
  assert_null(list_topics(w->hub, "**", 10, &count, &has_more));
  assert_true(count == 0 && !has_more);
  set_rule(w->hub, (struct hub_rule){.pattern = "chat/*", .history = 2});
  join(&w->reader, "live");
  join(&w->reader, "chat/a");
  publish_numbers(w->hub, "chat/a", 1, 5);
  hub_deliver(w->port.hub);
  publish_key(w->hub, "chat/b", "x", "k");
  struct hub_topic_info *found = list_topics(w->hub, "chat/a", 10, &count, &has_more);
  assert_true(count == 1 && !has_more);
  assert_true(slice_equal(slice_of(found->name, found->name_len), slice_str("chat/a")));
  assert_int_equal(found->subscribers, 1);
  assert_int_equal(found->messages, 2);
  free(found);
  found = list_topics(w->hub, "**", 10, &count, &has_more);
  assert_true(count == 3 && !has_more);
  free(found);
  found = list_topics(w->hub, "*/*", 1, &count, &has_more);
  assert_true(count == 1 && has_more);
  free(found);
  free(list_topics(w->hub, "*/*", 2, &count, &has_more));
  assert_true(count == 2 && !has_more);
  assert_null(list_topics(w->hub, "*/*", 0, &count, &has_more));
  assert_true(count == 0 && has_more);
}

static void test_many_topics(void **state) {
  struct world *w = *state;
  enum { MANY = 20000 };
  set_rule(w->hub, (struct hub_rule){.pattern = "**", .history = 1});
  for (int i = 0; i < MANY; i++) {
    char name[16];
    snprintf(name, sizeof name, "%d", i);
    publish(w->hub, name, "x");
  }
  size_t count;
  bool has_more;
  struct hub_topic_info *found = list_topics(w->hub, "*", SIZE_MAX, &count, &has_more);
  assert_true(count == MANY && !has_more);
  char *seen = mem_zalloc(MANY);
  for (size_t i = 0; i < count; i++) {
    char name[16] = "";
    memcpy(name, found[i].name, found[i].name_len);
    assert_int_equal(seen[atoi(name)]++, 0);
  }
  free(seen);
  free(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_reads_in_all_combinations),
      TEST(test_topics_that_are_not_there),
      TEST(test_unusable_ids),
      TEST(test_time_of_a_message),
      TEST(test_superseded_messages_are_history_too),
      TEST(test_last_of_what_outlived_the_ring),
      TEST(test_reading_keeps_what_was_read),
      TEST(test_topics),
      TEST(test_many_topics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
