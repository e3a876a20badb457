// What members cost counts: they may take half of max_bytes, beyond which joins are refused
// whole, and what they take is not there for messages.
#include "base/mem.h"
#include "hub/topics.h"
#include "hub_fixture.h"

enum { MAX_BYTES = 1024 * 1024 };

struct world {
  struct hub *hub;
  struct port port;
  struct reader *readers;
  unsigned count;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  hub_limits_set(w->hub, &(struct hub_limits){.max_bytes = MAX_BYTES, .max_topics = 100000});
  static const struct hub_rule rules[] = {{.pattern = "**", .grace_ms = HUB_GRACE_NONE},
                                          {.pattern = "log", .history = 100000, .bytes = 1u << 30}};
  hub_rules_set(w->hub, rules, 2);
  port_open(&w->port, w->hub);
  w->readers = mem_zalloc(20000 * sizeof *w->readers);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  for (unsigned i = 0; i < w->count; i++) reader_close(&w->readers[i]);
  hub_sweep(w->hub);
  hub_sweep(w->hub);
  assert_int_equal(w->hub->presence_bytes, 0);
  assert_int_equal(counted(&hub_counters(w->hub)->presence_bytes), 0);
  hub_port_free(w->port.hub);
  hub_free(w->hub);
  free(w->readers);
  free(w);
  return 0;
}

static struct reader *add_reader(struct world *w) {
  struct reader *r = &w->readers[w->count++];
  reader_open(r, &w->port, w->count, FORM_ALL);
  return r;
}

static enum hub_status be(struct reader *r, const char *topic, const char *as, struct slice info) {
  struct hub_join_options options = {.as = slice_str(as), .info = info};
  return hub_join(&r->hub, slice_str(topic), &options, NULL);
}

static struct slice text_of(size_t len) {
  static char text[HUB_INFO_MAX];
  memset(text, '7', sizeof text);
  return slice_of(text, len);
}

// Members come until one is refused; returns how many came.
static unsigned fill(struct world *w, bool one_topic, size_t info_len) {
  for (unsigned i = 0;; i++) {
    char as[32], topic[32] = "t";
    snprintf(as, sizeof as, "user-%u", i);
    if (!one_topic) snprintf(topic, sizeof topic, "t/%u", i);
    enum hub_status status = be(add_reader(w), topic, as, text_of(info_len));
    if (status == HUB_OK) continue;
    assert_int_equal(status, HUB_LIMIT_MEMBERS);
    return i;
  }
}

static void test_info_is_bounded(void **state) {
  struct world *w = *state;
  unsigned count = fill(w, true, HUB_INFO_MAX);
  assert_in_range(count, 29, 31);
  assert_int_equal(hub_counters(w->hub)->joins_refused, 1);
  assert_int_equal(hub_count(w->hub, slice_str("t")), count);
  assert_true(counted(&hub_counters(w->hub)->presence_bytes) <= MAX_BYTES / 2);
  // One that is there may say less, or the same again, but not more.
  assert_int_equal(be(&w->readers[0], "t", "user-0", text_of(HUB_INFO_MAX)), HUB_OK);
  assert_int_equal(be(&w->readers[0], "t", "user-0", text_of(10)), HUB_OK);
  assert_int_equal(be(&w->readers[0], "t", "user-0", text_of(HUB_INFO_MAX - 20)), HUB_OK);
  uint64_t refused = counted(&hub_counters(w->hub)->joins_refused);
  assert_int_equal(be(&w->readers[1], "t", "user-new", text_of(HUB_INFO_MAX)), HUB_LIMIT_MEMBERS);
  assert_int_equal(hub_counters(w->hub)->joins_refused, refused + 1);
  // Without a member anybody may join, and there is room again when one leaves.
  join(add_reader(w), "t");
  hub_leave(&w->readers[2].hub, slice_str("t"));
  hub_sweep(w->hub);
  hub_sweep(w->hub);
  assert_int_equal(be(add_reader(w), "t", "late", text_of(HUB_INFO_MAX - 100)), HUB_OK);
}

static void test_members_themselves_are_bounded(void **state) {
  struct world *w = *state;
  unsigned count = fill(w, true, 0);
  assert_in_range(count, MAX_BYTES / 2 / 600, MAX_BYTES / 2 / 200);
}

static void test_topics_of_members_are_bounded(void **state) {
  struct world *w = *state;
  unsigned count = fill(w, false, 0);
  assert_in_range(count, MAX_BYTES / 2 / 3000, MAX_BYTES / 2 / 800);
  assert_int_equal(hub_topic_count(w->hub), count);
}

// Each subscription of the same member costs a little.
static void test_subscriptions_of_a_member_are_bounded(void **state) {
  struct world *w = *state;
  unsigned count = 0;
  while (be(add_reader(w), "t", "ann", text_of(0)) == HUB_OK) count++;
  assert_in_range(count, MAX_BYTES / 2 / 200, MAX_BYTES / 2 / 60);
}

static void test_members_and_messages_share(void **state) {
  struct world *w = *state;
  char text[1001];
  memset(text, 'x', 1000);
  text[1000] = '\0';
  for (int i = 0; i < 2000; i++) publish(w->hub, "log", text);
  assert_in_range(topics_held_bytes(w->hub), MAX_BYTES * 9 / 10, MAX_BYTES);
  // Messages leave members their half ...
  unsigned count = fill(w, true, HUB_INFO_MAX);
  assert_in_range(count, 29, 31);
  hub_sweep(w->hub);
  assert_true(topics_held_bytes(w->hub) <= MAX_BYTES);
  // ... and members leave messages theirs.
  for (int i = 0; i < 2000; i++) publish(w->hub, "log", text);
  assert_in_range(w->hub->kept_bytes, MAX_BYTES * 4 / 10, MAX_BYTES / 2 + 20000);
  assert_true(topics_held_bytes(w->hub) <= MAX_BYTES);
}

// ---- lists beside changes ------------------------------------------------

static void read_members(struct world *w, const char *topic, struct buf *out) {
  buf_clear(out);
  hub_presence(w->hub, slice_str(topic), out);
}

static unsigned count_of(const struct buf *list, const char *what) {
  unsigned count = 0;
  struct slice text = buf_slice(list);
  size_t len = strlen(what);
  for (size_t i = 0; i + len <= text.len; i++) count += memcmp(text.ptr + i, what, len) == 0;
  return count;
}

// Chunks fill, empty in any order, and are read in between; the order stays.
static void test_lists_of_many(void **state) {
  struct world *w = *state;
  enum { COUNT = 1000 };
  struct buf out = {0};
  for (unsigned i = 0; i < COUNT; i++) {
    char as[16];
    snprintf(as, sizeof as, "u%04u", i);
    assert_int_equal(be(add_reader(w), "t", as, text_of(i % 3)), HUB_OK);
    if (i % 100 == 0) read_members(w, "t", &out);
  }
  read_members(w, "t", &out);
  assert_int_equal(count_of(&out, "\"id\":"), COUNT);
  assert_int_equal(count_of(&out, "\"info\":"), COUNT - 334);
  for (unsigned i = 0; i < COUNT; i++) {
    unsigned k = i * 7 % COUNT;
    if (k % 10 != 0) hub_leave(&w->readers[k].hub, slice_str("t"));
    if (i % 50 == 0) hub_sweep(w->hub);
  }
  hub_sweep(w->hub);
  read_members(w, "t", &out);
  assert_int_equal(count_of(&out, "\"id\":"), COUNT / 10);
  buf_append_char(&out, 0);
  const char *at = buf_slice(&out).ptr;
  for (unsigned i = 0; i < COUNT; i += 10) {
    char as[16];
    snprintf(as, sizeof as, "\"u%04u\"", i);
    at = strstr(at, as);
    assert_non_null(at);
  }
  buf_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_info_is_bounded),
      TEST(test_members_themselves_are_bounded),
      TEST(test_topics_of_members_are_bounded),
      TEST(test_subscriptions_of_a_member_are_bounded),
      TEST(test_members_and_messages_share),
      TEST(test_lists_of_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
