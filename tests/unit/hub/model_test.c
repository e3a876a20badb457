// A long random life of a hub, held against a model that is nothing but the
// list of all messages ever published to each topic: whatever publishers,
// readers, retention and blocking do, each reader sees exactly the messages
// that follow its cursor, or gaps whose counts add up.
#include "hub_fixture.h"

enum { TOPICS = 7, READERS = 10, STEPS = 20000, SEEDS = 12, OTHERS = 1000 };

static const char *const topic_names[TOPICS] = {"hist/a", "hist/b", "win/a", "win/b",
                                                "tiny/a", "late/a", "end/a"};
static const struct hub_rule rules[] = {
    {.pattern = "hist/*", .history = 40},
    {.pattern = "tiny/*", .history = 100, .bytes = 24},
    {.pattern = "late/*", .history = 5, .lag = HUB_LAG_LATEST},
    {.pattern = "end/*", .history = 8, .lag = HUB_LAG_CLOSE},
};

struct published {
  uint64_t seq, except;
};

// Where a reader is in a topic: from `low` to `high`, because it passes its own
// messages without a word. When open, it is only known to be at low or later.
struct model_sub {
  bool is_joined;
  bool is_open;
  bool must_have_lost;  // the first message may not be the one at low
  size_t low, high;
};

struct model_reader {
  struct reader reader;
  struct model_sub subs[TOPICS];
  uint64_t last_seq;  // messages come in seq order since the last replay began
  bool was_blocked;   // otherwise it must never lag
};

struct model {
  struct hub *hub;
  struct port ports[2];
  struct published *logs[TOPICS];
  size_t log_count[TOPICS];
  struct model_reader readers[READERS];
  uint64_t next_id;
  uint64_t random;
  uint64_t gap_count, message_count;
};

static uint64_t pick(struct model *m, uint64_t below) {
  m->random ^= m->random << 13;
  m->random ^= m->random >> 7;
  m->random ^= m->random << 17;
  return m->random % below;
}

static size_t index_after(const struct model *m, int topic, uint64_t seq) {
  size_t low = 0, high = m->log_count[topic];
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (m->logs[topic][middle].seq <= seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// ---- what a reader was told ----------------------------------------------

static void skip_own(const struct model *m, int topic, struct model_sub *sub, uint64_t id) {
  while (sub->high < m->log_count[topic] && m->logs[topic][sub->high].except == id) sub->high++;
}

static void check_message(struct model *m, struct model_reader *r, const struct event *e) {
  int topic = atoi(e->text);
  struct model_sub *sub = &r->subs[topic];
  assert_true(sub->is_joined);
  assert_true(e->seq > r->last_seq);
  r->last_seq = e->seq;
  size_t at = index_after(m, topic, e->seq - 1);
  assert_true(at < m->log_count[topic] && m->logs[topic][at].seq == e->seq);
  assert_true(m->logs[topic][at].except != r->reader.hub.id);
  skip_own(m, topic, sub, r->reader.hub.id);
  assert_true(at >= sub->low + sub->must_have_lost);
  assert_true(sub->is_open || at <= sub->high);
  sub->low = sub->high = at + 1;
  sub->is_open = sub->must_have_lost = false;
  m->message_count++;
}

static void check_gap(struct model *m, struct model_reader *r, const struct event *e) {
  int topic = 0;
  while (strcmp(topic_names[topic], e->text) != 0) topic++;
  struct model_sub *sub = &r->subs[topic];
  assert_true(sub->is_joined && r->was_blocked && e->missed > 0);
  if (topic == 5) assert_int_equal(e->policy, HUB_LAG_LATEST);
  if (topic == 6) assert_int_equal(e->policy, HUB_LAG_CLOSE);
  skip_own(m, topic, sub, r->reader.hub.id);
  sub->low += e->missed;
  sub->high += e->missed;
  assert_true(sub->low <= m->log_count[topic]);
  if (sub->high > m->log_count[topic]) sub->high = m->log_count[topic];
  m->gap_count++;
}

static void check_events(struct model *m, struct model_reader *r) {
  for (size_t i = 0; i < r->reader.event_count; i++) {
    const struct event *e = &r->reader.events[i];
    if (e->is_gap) {
      check_gap(m, r, e);
    } else {
      check_message(m, r, e);
    }
  }
  r->reader.event_count = 0;
}

static void check_port(struct model *m, int port) {
  hub_drain(m->ports[port].hub);
  for (int i = 0; i < READERS; i++) {
    struct model_reader *r = &m->readers[i];
    if (r->reader.hub.port != m->ports[port].hub) continue;
    check_events(m, r);
    if (r->reader.hub.is_blocked) r->was_blocked = true;
    if (r->reader.hub.is_blocked || r->reader.hub.is_ended) continue;
    r->was_blocked = false;  // it has caught up
  }
}

// ---- what happens to the hub ---------------------------------------------

static void do_publish(struct model *m) {
  int topic = (int)pick(m, TOPICS);
  for (uint64_t count = pick(m, 20) == 0 ? pick(m, 200) : 1; count > 0; count--) {
    char text[16];
    snprintf(text, sizeof text, "%d", topic);
    uint64_t except = pick(m, 4) == 0 ? m->readers[pick(m, READERS)].reader.hub.id : 0;
    uint64_t seq = publish_except(m->hub, topic_names[topic], text, except);
    size_t at = m->log_count[topic]++;
    if ((at & (at - 1)) == 0) {
      m->logs[topic] = mem_realloc(m->logs[topic], (at == 0 ? 1 : at * 2) * sizeof *m->logs[topic]);
    }
    m->logs[topic][at] = (struct published){seq, except};
  }
}

static void model_join_id(struct model *m, int topic, struct model_sub *sub, uint64_t seq,
                          const struct hub_join_result *result) {
  sub->low = sub->high = index_after(m, topic, seq);
  sub->is_open = sub->must_have_lost = !result->recovered;
}

static void do_join(struct model *m, struct model_reader *r) {
  int topic = (int)pick(m, TOPICS);
  struct model_sub *sub = &r->subs[topic];
  check_events(m, r);
  enum hub_since since = (enum hub_since)pick(m, 4);
  uint64_t newest = 0;
  for (int t = 0; t < TOPICS; t++) {
    size_t count = m->log_count[t];
    if (count > 0 && m->logs[t][count - 1].seq > newest) newest = m->logs[t][count - 1].seq;
  }
  uint64_t seq = newest - pick(m, newest < 100 ? newest + 1 : 100);
  char id[HUB_ID_MAX];
  hub_id_format(m->hub, seq, id);
  struct hub_join_result result =
      join_as(&r->reader, topic_names[topic], since, id, HUB_LAG_DEFAULT);
  assert_true(result.seq <= newest);
  if (since == HUB_SINCE_NOW && sub->is_joined) return;
  *sub = (struct model_sub){.is_joined = true};
  sub->low = sub->high = m->log_count[topic];
  if (since == HUB_SINCE_NOW) return;
  r->last_seq = 0;
  if (since == HUB_SINCE_ID) model_join_id(m, topic, sub, seq, &result);
  if (since == HUB_SINCE_LAST && sub->low > 0) sub->low--, sub->is_open = true;
  if (since == HUB_SINCE_FIRST) sub->low = 0, sub->is_open = true;
}

static void do_leave(struct model *m, struct model_reader *r) {
  int topic = (int)pick(m, TOPICS);
  check_events(m, r);
  enum hub_status status = hub_leave(&r->reader.hub, slice_str(topic_names[topic]));
  assert_int_equal(status, r->subs[topic].is_joined ? HUB_OK : HUB_NOT_JOINED);
  r->subs[topic].is_joined = false;
}

static void do_reopen(struct model *m, struct model_reader *r) {
  if (r->reader.hub.port != NULL) reader_close(&r->reader);
  *r = (struct model_reader){0};
  reader_open(&r->reader, &m->ports[pick(m, 2)], m->next_id++, (unsigned)pick(m, FORM_COUNT));
}

static void check_counts(struct model *m) {
  for (int t = 0; t < TOPICS; t++) {
    size_t count = 0;
    for (int i = 0; i < READERS; i++) count += m->readers[i].subs[t].is_joined;
    assert_int_equal(hub_count(m->hub, slice_str(topic_names[t])), count);
  }
}

static void step(struct model *m) {
  struct model_reader *r = &m->readers[pick(m, READERS)];
  uint64_t what = pick(m, 100);
  if (what < 50) {
    do_publish(m);
  } else if (what < 72) {
    check_port(m, (int)pick(m, 2));
  } else if (what < 80) {
    do_join(m, r);
  } else if (what < 83) {
    do_leave(m, r);
  } else if (what < 88) {
    if (!r->reader.hub.is_blocked) r->reader.budget = 1 + pick(m, 20);
  } else if (what < 97) {
    if (r->reader.hub.is_blocked)
      reader_resume(&r->reader, pick(m, 2) ? SIZE_MAX : 1 + pick(m, 100));
  } else if (what < 98) {
    do_reopen(m, r);
  } else if (what < 99) {
    hub_sweep(m->hub);
  } else {
    hub_rules_set(m->hub, rules, sizeof rules / sizeof rules[0]);
    check_counts(m);
  }
  if (r->reader.hub.is_ended) do_reopen(m, r);
}

// Everybody reads to the end: nothing that was published is unaccounted for.
static void finish(struct model *m) {
  for (int i = 0; i < READERS; i++) reader_resume(&m->readers[i].reader, SIZE_MAX);
  check_port(m, 0);
  check_port(m, 1);
  for (int i = 0; i < READERS; i++) {
    for (int t = 0; t < TOPICS; t++) {
      struct model_sub *sub = &m->readers[i].subs[t];
      if (!sub->is_joined || sub->is_open || m->readers[i].reader.hub.is_ended) continue;
      skip_own(m, t, sub, m->readers[i].reader.hub.id);
      assert_int_equal(sub->high, m->log_count[t]);
    }
    reader_close(&m->readers[i].reader);
  }
}

static void live(uint64_t seed) {
  struct model *m = mem_zalloc(sizeof *m);
  m->random = seed * 0x9E3779B97F4A7C15u;
  m->next_id = 1;
  m->hub = fixture_hub();
  hub_rules_set(m->hub, rules, sizeof rules / sizeof rules[0]);
  port_open(&m->ports[0], m->hub);
  port_open(&m->ports[1], m->hub);
  for (int i = 0; i < READERS; i++) do_reopen(m, &m->readers[i]);
  for (int i = 0; i < STEPS; i++) step(m);
  finish(m);
  assert_true(m->gap_count > 50 && m->message_count > STEPS);
  for (int t = 0; t < TOPICS; t++) free(m->logs[t]);
  hub_port_free(m->ports[0].hub);
  hub_port_free(m->ports[1].hub);
  hub_free(m->hub);
  free(m);
}

static void test_random_lives(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    print_message("seed %d\n", (int)seed);
    live(seed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_lives)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
