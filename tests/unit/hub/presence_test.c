// Presence: who is in a topic, and the diffs that tell it.
#include <unistd.h>

#include "hub/topics.h"
#include "roster.h"

struct world {
  struct hub *hub;
  struct port ports[2];
  struct reader a, b, c;  // c on the second port
  struct ear ear;
};

static int setup(void **state) {
  struct world *w = mem_zalloc(sizeof *w);
  w->hub = fixture_hub();
  port_open(&w->ports[0], w->hub);
  port_open(&w->ports[1], w->hub);
  reader_open(&w->a, &w->ports[0], 1, FORM_ALL);
  reader_open(&w->b, &w->ports[0], 2, FORM_ALL);
  reader_open(&w->c, &w->ports[1], 3, FORM_ALL);
  ear_open(&w->ear, w->hub);
  const struct hub_join_options options = {0};
  hub_join(&w->ear.reader, slice_str("presence:t"), &options, NULL);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  struct world *w = *state;
  reader_close(&w->a);
  reader_close(&w->b);
  reader_close(&w->c);
  ear_close(&w->ear);
  hub_port_free(w->ports[0].hub);
  hub_port_free(w->ports[1].hub);
  hub_free(w->hub);
  free(w);
  return 0;
}

static enum hub_status try(struct reader *r, const char *topic, const char *as, const char *info) {
  struct hub_join_options options = {.as = slice_str(as), .info = slice_str(info)};
  return hub_join(&r->hub, slice_str(topic), &options, NULL);
}

static void be(struct reader *r, const char *as, const char *info) {
  assert_int_equal(try(r, "t", as, info), HUB_OK);
}

static void leave(struct reader *r) {
  assert_int_equal(hub_leave(&r->hub, slice_str("t")), HUB_OK);
}

static const char *members(struct world *w) {
  static struct roster now;
  roster_read(&now, w->hub, "t");
  return roster_line(&now);
}

// The diffs since the last look, without what is the same in all of them.
static const char *diffs(struct world *w) {
  static char line[4096];
  buf_clear(&w->ear.heard);
  hub_sweep(w->hub);
  hub_deliver(w->ear.port);
  size_t used = 0;
  buf_append_char(&w->ear.heard, '\0');
  for (const char *at = w->ear.heard.data + w->ear.heard.start; *at != '\0' && used < 4000;) {
    if (strncmp(at, ",\"since\":", 9) == 0) {
      at += strcspn(at, "}");
    } else {
      line[used++] = *at++;
    }
  }
  line[used] = '\0';
  return line;
}

#define DIFF(joins, leaves) "{\"topic\":\"t\",\"joins\":[" joins "],\"leaves\":[" leaves "]}\n"
#define ANN "{\"id\":\"ann\"}"
#define BOB "{\"id\":\"bob\"}"

static void set_grace(struct world *w, uint32_t grace_ms) {
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .grace_ms = grace_ms});
}

// Sweeps until so many members are left.
static void wait_for_members(struct world *w, size_t count) {
  struct roster *now = mem_alloc(sizeof *now);
  for (int i = 0; i < 20000; i++) {
    hub_sweep(w->hub);
    roster_read(now, w->hub, "t");
    if (now->count == count) break;
    usleep(500);
  }
  assert_int_equal(now->count, count);
  free(now);
}

static void test_readers_of_one_user_are_one_member(void **state) {
  struct world *w = *state;
  set_grace(w, HUB_GRACE_NONE);
  be(&w->a, "ann", NULL);
  be(&w->b, "bob", "7");
  be(&w->c, "ann", NULL);
  be(&w->c, "ann", NULL);
  assert_string_equal(members(w), "ann bob=7");
  assert_string_equal(diffs(w), DIFF(ANN ",{\"id\":\"bob\",\"info\":7}", ""));
  leave(&w->a);
  assert_string_equal(diffs(w), "");
  assert_string_equal(members(w), "ann bob=7");
  leave(&w->c);
  assert_string_equal(members(w), "ann bob=7");  // until it is swept
  assert_string_equal(diffs(w), DIFF("", ANN));
  assert_string_equal(members(w), "bob=7");
  reader_close(&w->b);
  assert_string_equal(diffs(w), DIFF("", "{\"id\":\"bob\",\"info\":7}"));
  assert_string_equal(members(w), "");
  assert_int_equal(hub_topic_count(w->hub), 1);  // the companion
}

static void test_grace_hides_a_reconnect(void **state) {
  struct world *w = *state;
  be(&w->a, "ann", "1");
  assert_int_equal(strlen(diffs(w)) > 0, 1);
  reader_close(&w->a);
  assert_int_equal(hub_count(w->hub, slice_str("t")), 0);
  assert_string_equal(diffs(w), "");
  assert_string_equal(members(w), "ann=1");
  size_t count;
  bool has_more;
  struct hub_topic_info *topics = list_topics(w->hub, "t", 10, &count, &has_more);
  assert_int_equal(count, 0);  // nobody follows it, and it keeps nothing
  free(topics);
  be(&w->c, "ann", NULL);
  assert_string_equal(diffs(w), "");
  leave(&w->c);
  be(&w->c, "ann", "2");
  assert_string_equal(diffs(w), DIFF("{\"id\":\"ann\",\"info\":2}", ""));
}

static void test_grace_ends(void **state) {
  struct world *w = *state;
  set_grace(w, 20);
  be(&w->a, "ann", NULL);
  diffs(w);
  leave(&w->a);
  wait_for_members(w, 0);
  assert_string_equal(diffs(w), DIFF("", ANN));
  assert_int_equal(hub_topic_count(w->hub), 1);
  be(&w->b, "ann", NULL);
  leave(&w->b);
  set_grace(w, 60000);  // who left has the grace of when it left
  be(&w->a, "bob", NULL);
  leave(&w->a);
  wait_for_members(w, 1);
  assert_string_equal(members(w), "bob");
}

static void test_info(void **state) {
  struct world *w = *state;
  be(&w->a, "ann", "1");
  be(&w->b, "ann", NULL);  // as it was
  assert_string_equal(diffs(w), DIFF("{\"id\":\"ann\",\"info\":1}", ""));
  be(&w->b, "ann", "1");
  assert_string_equal(diffs(w), "");
  be(&w->b, "ann", "2");
  be(&w->b, "ann", "3");
  assert_string_equal(diffs(w), DIFF("{\"id\":\"ann\",\"info\":3}", ""));
  be(&w->a, "ann", "");
  assert_string_equal(diffs(w), DIFF(ANN, ""));
  be(&w->a, "ann", "");
  join(&w->a, "t");  // joining again without a word about it changes nothing
  assert_string_equal(diffs(w), "");
  assert_string_equal(members(w), "ann");
}

static void test_rejoining_as_another(void **state) {
  struct world *w = *state;
  set_grace(w, HUB_GRACE_NONE);
  be(&w->a, "ann", NULL);
  be(&w->b, "ann", NULL);
  diffs(w);
  be(&w->a, "bob", NULL);
  assert_string_equal(diffs(w), DIFF(BOB, ""));
  be(&w->b, "bob", NULL);
  assert_string_equal(diffs(w), DIFF("", ANN));
  be(&w->a, "ann", NULL);
  be(&w->a, "bob", NULL);  // back before anybody looked
  assert_string_equal(diffs(w), "");
  leave(&w->a);
  leave(&w->b);
  assert_string_equal(diffs(w), DIFF("", BOB));
  assert_int_equal(hub_topic_count(w->hub), 1);
}

static void test_unseen_visits_are_not_told(void **state) {
  struct world *w = *state;
  set_grace(w, HUB_GRACE_NONE);
  be(&w->a, "ann", NULL);
  leave(&w->a);
  assert_string_equal(diffs(w), "");
  // But one that was listed is known, and its leave must be.
  be(&w->a, "ann", NULL);
  assert_string_equal(members(w), "ann");
  leave(&w->a);
  assert_string_equal(diffs(w), DIFF("", ANN));
  be(&w->a, "ann", NULL);
  diffs(w);
  leave(&w->a);
  be(&w->a, "ann", NULL);  // away for less than a sweep
  assert_string_equal(diffs(w), "");
}

static void test_refused(void **state) {
  struct world *w = *state;
  static char long_text[HUB_INFO_MAX + 2];
  memset(long_text, 'x', sizeof long_text - 1);
  join(&w->b, "t");
  const char *id_256 = long_text + sizeof long_text - 1 - 256;
  const char *const bad[] = {"", "a\nb", "\xFF", id_256};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(try(&w->a, "t", bad[i], NULL), HUB_BAD_MEMBER);
    assert_int_equal(try(&w->b, "t", bad[i], NULL), HUB_BAD_MEMBER);
  }
  assert_int_equal(try(&w->a, "t", "ann", long_text), HUB_INFO_TOO_LARGE);
  const char *name_247 = long_text + sizeof long_text - 1 - 247;
  assert_int_equal(try(&w->a, name_247, "ann", NULL), HUB_LONG_TOPIC);  // of its companion
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .presence_off = true});
  assert_int_equal(try(&w->a, "t", "ann", NULL), HUB_NO_PRESENCE);
  assert_int_equal(hub_count(w->hub, slice_str("t")), 1);
  assert_int_equal(hub_topic_count(w->hub), 2);
  assert_string_equal(members(w), "");
  assert_string_equal(diffs(w), "");
  set_grace(w, 0);
  be(&w->a, id_256 + 1, long_text + 1);  // the longest that are allowed
  assert_int_equal(try(&w->a, name_247 + 1, "ann", NULL), HUB_OK);
  assert_int_equal(hub_counters(w->hub)->joins_refused, 0);
}

// A limit refuses a member as it does anybody; nothing is told of it.
static void test_limit(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "t", .limit = 1});
  be(&w->a, "ann", NULL);
  assert_int_equal(try(&w->b, "t", "bob", NULL), HUB_LIMIT);
  assert_string_equal(diffs(w), DIFF(ANN, ""));
  be(&w->a, "bob", NULL);  // one that is in may change
  assert_string_equal(diffs(w), DIFF(BOB, ""));
}

static void test_turned_off_under_way(void **state) {
  struct world *w = *state;
  be(&w->a, "ann", NULL);
  diffs(w);
  set_rule(w->hub,
           (struct hub_rule){.pattern = "t", .presence_off = true, .grace_ms = HUB_GRACE_NONE});
  assert_int_equal(try(&w->b, "t", "bob", NULL), HUB_NO_PRESENCE);
  assert_int_equal(try(&w->a, "t", "bob", NULL), HUB_NO_PRESENCE);
  assert_string_equal(members(w), "ann");
  leave(&w->a);
  assert_string_equal(diffs(w), DIFF("", ANN));
  assert_int_equal(hub_topic_count(w->hub), 1);
}

static void test_many_members_are_told_in_pieces(void **state) {
  struct world *w = *state;
  enum { COUNT = 2000 };
  set_grace(w, HUB_GRACE_NONE);
  w->hub->limits.max_topics = COUNT;
  struct reader *readers = mem_alloc(COUNT * sizeof *readers);
  for (unsigned i = 0; i < COUNT; i++) {
    char id[16], info[100];
    snprintf(id, sizeof id, "user-%u", i);
    snprintf(info, sizeof info, "{\"number\":%u,\"name\":\"%060u\"}", i, i);
    reader_open(&readers[i], &w->ports[i % 2], 100 + i, FORM_ALL);
    be(&readers[i], id, info);
  }
  hub_sweep(w->hub);
  hub_deliver(w->ear.port);
  struct roster *now = mem_alloc(sizeof *now);
  roster_read(now, w->hub, "t");
  assert_int_equal(w->ear.roster.count, COUNT);
  roster_check_equal(&w->ear.roster, now);
  assert_true(hub_counters(w->hub)->published > 4);
  for (unsigned i = 0; i < COUNT; i++) {
    leave(&readers[i]);
    if (i % 3 == 0) be(&readers[i], "one", NULL);
  }
  hub_sweep(w->hub);
  hub_deliver(w->ear.port);
  assert_string_equal(roster_line(&w->ear.roster), "one");
  assert_string_equal(members(w), "one");
  for (unsigned i = 0; i < COUNT; i++) reader_close(&readers[i]);
  diffs(w);
  assert_int_equal(hub_topic_count(w->hub), 1);
  free(readers);
  free(now);
}

static void test_diffs_are_messages_like_any(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "presence:*", .history = 2});
  be(&w->a, "ann", NULL);
  diffs(w);
  be(&w->b, "bob", NULL);
  diffs(w);
  join_as(&w->c, "presence:t", HUB_SINCE_FIRST, NULL, HUB_LAG_DEFAULT);
  hub_deliver(w->ports[1].hub);
  assert_int_equal(w->c.event_count, 2);
  // Also for a tap, on a companion that nobody follows.
  hub_reader_close(&w->ear.reader);
  assert_int_equal(hub_join_pattern(&w->ear.reader, slice_str("presence:*")), HUB_OK);
  assert_int_equal(try(&w->a, "u", "ann", NULL), HUB_OK);
  assert_string_equal(diffs(w), "{\"topic\":\"u\",\"joins\":[" ANN "],\"leaves\":[]}\n");
}

// Its port's thread changes a member whenever it is told of a diff.
struct restless {
  struct hub_port *port;
  struct hub_reader reader;
  const char *topic;  // of the member
  unsigned wake_count;
};

static void change_again(void *ctx) {
  struct restless *r = ctx;
  if (++r->wake_count > 50) return;
  char info[16];
  snprintf(info, sizeof info, "%u", r->wake_count);
  struct hub_join_options options = {.as = slice_str("ann"), .info = slice_str(info)};
  hub_join(&r->reader, slice_str(r->topic), &options, NULL);
  hub_deliver(r->port);
}

static void come_and_go(void *ctx) {
  struct restless *r = ctx;
  struct hub_join_options options = {.as = slice_str("cat")};
  hub_join(&r->reader, slice_str(r->topic), &options, NULL);
  hub_leave(&r->reader, slice_str(r->topic));
  hub_deliver(r->port);
  r->wake_count++;
}

static size_t take_all(struct hub_reader *reader, const struct hub_batch *batch) {
  (void)reader;
  return batch->count;
}

static void open_restless(struct restless *r, struct world *w, const char *topic,
                          void (*on_wake)(void *ctx)) {
  *r = (struct restless){.topic = topic};
  r->port = hub_port_new(w->hub, &(struct hub_port_ops){on_wake, take_all, ear_gap}, r);
  hub_reader_init(&r->reader, r->port, 9, HUB_FORM_NONE);
  const struct hub_join_options options = {0};
  hub_join(&r->reader, slice_str("presence:t"), &options, NULL);
}

static void test_a_sweep_ends_whatever_others_do(void **state) {
  struct world *w = *state;
  struct restless r;
  open_restless(&r, w, "t", change_again);
  be(&w->a, "bob", NULL);
  for (unsigned sweep = 1; sweep <= 3; sweep++) {
    diffs(w);
    assert_int_equal(r.wake_count, sweep);
  }
  hub_reader_close(&r.reader);
  hub_port_free(r.port);
}

// Its leave is due, but it is back by the time that is told.
static void test_back_in_the_middle_of_a_sweep(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .grace_ms = HUB_GRACE_NONE});
  hub_reader_close(&w->ear.reader);
  assert_int_equal(hub_join_pattern(&w->ear.reader, slice_str("presence:u")), HUB_OK);
  be(&w->a, "bob", NULL);
  assert_int_equal(try(&w->b, "u", "ann", "7"), HUB_OK);
  assert_string_equal(diffs(w),
                      "{\"topic\":\"u\",\"joins\":[{\"id\":\"ann\",\"info\":7}],\"leaves\":[]}\n");
  struct restless r;
  open_restless(&r, w, "u", change_again);
  leave(&w->a);
  hub_leave(&w->b.hub, slice_str("u"));
  assert_string_equal(diffs(w),
                      "{\"topic\":\"u\",\"joins\":[{\"id\":\"ann\",\"info\":1}],\"leaves\":[]}\n");
  assert_int_equal(r.wake_count, 1);
  assert_string_equal(roster_line(&w->ear.roster), "ann=1");
  hub_reader_close(&r.reader);
  hub_port_free(r.port);
}

static void test_there_only_in_the_middle_of_a_sweep(void **state) {
  struct world *w = *state;
  set_rule(w->hub, (struct hub_rule){.pattern = "*", .grace_ms = HUB_GRACE_NONE});
  hub_reader_close(&w->ear.reader);
  assert_int_equal(hub_join_pattern(&w->ear.reader, slice_str("presence:u")), HUB_OK);
  struct restless r;
  open_restless(&r, w, "u", come_and_go);
  be(&w->a, "bob", NULL);
  assert_int_equal(try(&w->b, "u", "ann", NULL), HUB_OK);
  assert_string_equal(diffs(w), "{\"topic\":\"u\",\"joins\":[" ANN "],\"leaves\":[]}\n");
  assert_int_equal(r.wake_count, 1);
  assert_string_equal(diffs(w), "");
  hub_reader_close(&r.reader);
  hub_port_free(r.port);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_readers_of_one_user_are_one_member),
      TEST(test_grace_hides_a_reconnect),
      TEST(test_grace_ends),
      TEST(test_info),
      TEST(test_rejoining_as_another),
      TEST(test_unseen_visits_are_not_told),
      TEST(test_refused),
      TEST(test_limit),
      TEST(test_turned_off_under_way),
      TEST(test_many_members_are_told_in_pieces),
      TEST(test_diffs_are_messages_like_any),
      TEST(test_a_sweep_ends_whatever_others_do),
      TEST(test_back_in_the_middle_of_a_sweep),
      TEST(test_there_only_in_the_middle_of_a_sweep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
