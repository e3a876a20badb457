// Thousands of short random lives of a hub, and a few long ones, held against
// the model of model.h: publishers, readers that join, replay, stall, leave and
// come again on two ports, keys, taps, presence, changing rules, messages that
// age, caps, and memory that runs out. Each life has a shape of its own.
//
// SEED=n runs life n alone. LIVES=n runs so many short lives and as large a
// share of the long ones; `make check` is content with few.
#include "model.h"

enum { LIVES = 2000, LONG_LIVES = 4, STEPS = 400, LONG_STEPS = 20000 };

// One of so many is lived where each takes longer; there is but one thread.
#if defined __SANITIZE_ADDRESS__
enum { LIVES_SHARE = 4 };
#elif defined __SANITIZE_THREAD__
enum { LIVES_SHARE = 20 };
#else
enum { LIVES_SHARE = 1 };
#endif

// What a life is like; shares are in percent.
struct shape {
  unsigned steps;
  unsigned key_share, key_count, except_share;
  unsigned burst;  // longest run of messages
  unsigned stall_share;
  unsigned as_share;
  bool has_memory_cap, has_rule_changes, has_grace, has_lazy_readers, has_stops;
};

static uint64_t pick(struct model *m, uint64_t below) {
  m->random ^= m->random << 13;
  m->random ^= m->random >> 7;
  m->random ^= m->random << 17;
  return m->random % below;
}

static bool chance(struct model *m, unsigned percent) { return pick(m, 100) < percent; }

static struct shape draw_shape(struct model *m, bool is_long) {
  static const unsigned shares[] = {0, 10, 50, 100}, key_counts[] = {1, 2, 5, KEYS - 1};
  static const unsigned bursts[] = {3, 30, 150, 1500};
  struct shape s = {.steps = is_long ? LONG_STEPS : STEPS};
  s.key_share = shares[pick(m, 4)];
  s.key_count = key_counts[pick(m, 4)];
  s.except_share = shares[pick(m, 3)] / 2;
  s.burst = bursts[is_long ? 1 : pick(m, 10) == 0 ? 3 : pick(m, 3)];
  s.stall_share = shares[pick(m, 3)];
  s.as_share = shares[pick(m, 3)];
  s.has_memory_cap = pick(m, 4) == 0;
  s.has_rule_changes = pick(m, 2) == 0;
  s.has_grace = pick(m, 3) == 0;
  s.has_lazy_readers = pick(m, 4) == 0;
  s.has_stops = pick(m, 2) == 0;
  return s;
}

// ---- what happens to the hub ---------------------------------------------

static void set_rules(struct model *m, const struct shape *s) {
  static const uint32_t histories[] = {0, 1, 2, 5, 40};
  static const enum hub_lag lags[] = {HUB_LAG_SKIP, HUB_LAG_SKIP, HUB_LAG_LATEST, HUB_LAG_CLOSE};
  for (int t = 0; t < TOPICS; t++) {
    m->rules[t] = (struct hub_rule){
        .pattern = topic_names[t],
        .history = histories[pick(m, 5)],
        .bytes = pick(m, 5) == 0 ? 20 : 0,
        .ttl_ms = 3600 * 1000,
        .lag = lags[pick(m, 4)],
        .limit = pick(m, 4) == 0 ? (uint32_t)(2 + pick(m, 3)) : 0,
        .presence_off = s->has_rule_changes && pick(m, 5) == 0,
        .grace_ms = s->has_grace && pick(m, 2) == 0 ? 3600 * 1000 : HUB_GRACE_NONE,
    };
  }
  hub_rules_set(m->hub, m->rules, TOPICS);
}

static void note_published(struct model *m, int topic, const struct published *given,
                           bool has_log) {
  struct log *log = &m->logs[topic];
  struct published p = *given;
  m->seqs = grow(m->seqs, &m->seq_cap, m->seq_count, sizeof *m->seqs);
  m->seqs[m->seq_count++] = p.seq;
  if (!has_log) {
    log->lost_seq = p.seq;  // there was nobody to see it
    return;
  }
  size_t at = log->count++;
  log->all = grow(log->all, &log->cap, at, sizeof *log->all);
  log->all[at] = p;
  if (p.key > 0) {
    size_t last = log->newest[p.key];
    if (last > 0 && log->all[last - 1].fate == KEPT) log->all[last - 1].newer = at;
    log->newest[p.key] = at + 1;
  }
  for (int i = 0; i < READERS; i++) {
    if (m->readers[i].subs[topic].is_joined) owe(&m->readers[i].subs[topic], at, true);
  }
}

static void publish_one(struct model *m, const struct shape *s, int topic) {
  struct published p = {.key = chance(m, s->key_share) ? (uint8_t)(1 + pick(m, s->key_count)) : 0};
  char text[40], key[2] = {(char)p.key, 0};
  int fill = pick(m, 50) == 0 ? 30 : (int)pick(m, 8);
  p.size = (uint32_t)snprintf(text, sizeof text, "%d%.*s", topic, fill,
                              "..............................");
  if (chance(m, s->except_share)) p.except = m->readers[pick(m, READERS)].reader.hub.id;
  struct hub_port *from = pick(m, 2) ? m->ports[pick(m, PORTS)].hub : NULL;
  struct message *message =
      message_new(&(struct message_fields){.payload = slice_of(text, p.size),
                                           .topic = slice_str(topic_names[topic]),
                                           .key = slice_str(key),
                                           .except = p.except});
  bool has_log =
      m->rules[topic].history > 0 || topics_find(m->hub, slice_str(topic_names[topic])) != NULL;
  bool fits = (m->rules[topic].bytes == 0 || p.size <= m->rules[topic].bytes) &&
              HUB_TOPIC_COST + message_cost(message) <= m->hub->limits.max_bytes;
  assert_int_equal(hub_publish(m->hub, from, message, &p.seq), fits ? HUB_OK : HUB_TOO_LARGE);
  if (fits) note_published(m, topic, &p, has_log);
  look(m, false);
  uint64_t held = topics_held_bytes(m->hub);
  assert_true(!fits || held <= m->hub->limits.max_bytes || list_is_empty(&m->hub->used));
  for (int i = 0; i < READERS && fits; i++) {
    const struct model_reader *r = &m->readers[i];
    if (r->subs[topic].is_joined) assert_true(hub_port_has_work(m->ports[r->port].hub));
  }
}

static void do_publish(struct model *m, const struct shape *s) {
  int topic = (int)pick(m, TOPICS);
  uint64_t count = pick(m, 10) == 0 ? 1 + pick(m, s->burst) : 1;
  for (; count > 0; count--) publish_one(m, s, pick(m, 8) ? topic : (int)pick(m, TOPICS));
}

static void deliver_port(struct model *m, int port) {
  hub_deliver(m->ports[port].hub);
  for (int t = 0; t < TOPICS; t++) m->logs[t].delivered[port] = m->logs[t].count;
  for (int i = 0; i < READERS; i++) {
    if (m->readers[i].port == port) check_delivered(m, &m->readers[i]);
  }
  check_tap(m, &m->taps[port]);
  look(m, false);
}

static bool resume_from_gaps(struct model *m, int port) {
  bool is_any = false;
  for (int i = 0; i < READERS; i++) {
    struct model_reader *r = &m->readers[i];
    if (r->port != port || !r->reader.is_at_gap) continue;
    reader_resume(&r->reader, r->reader.budget);
    is_any = true;
  }
  return is_any;
}

// Who stopped at a gap goes on at once, whatever comes meanwhile.
static void do_deliver(struct model *m, const struct shape *s, int port) {
  deliver_port(m, port);
  while (resume_from_gaps(m, port)) {
    if (pick(m, 2)) do_publish(m, s);
    deliver_port(m, port);
  }
}

static enum hub_status expected_status(const struct model *m, const struct model_reader *r,
                                       int topic, int user) {
  uint32_t on_port = 1;  // its tap
  for (int i = 0; i < READERS; i++) {
    if (m->readers[i].port == r->port) on_port += (uint32_t)m->readers[i].sub_count;
  }
  const struct hub_rule *rule = &m->rules[topic];
  if (user >= 0 && rule->presence_off) return HUB_NO_PRESENCE;
  if (r->subs[topic].is_joined) return HUB_OK;
  if (rule->limit > 0 && subscriber_count(m, topic) >= rule->limit) return HUB_LIMIT;
  if ((uint32_t)r->sub_count >= m->hub->limits.max_topics) return HUB_LIMIT_TOPICS;
  return on_port >= m->hub->limits.max_subscriptions ? HUB_LIMIT_SUBSCRIPTIONS : HUB_OK;
}

static void note_start(struct model *m, struct model_reader *r, int topic, enum hub_since since,
                       uint64_t seq) {
  const struct log *log = &m->logs[topic];
  struct model_sub *sub = &r->subs[topic];
  bool is_none = true;
  for (size_t i = log->count; i-- > 0;) {
    bool is_owed = log->all[i].fate == KEPT;
    if (since == HUB_SINCE_NOW) is_owed = false;
    if (since == HUB_SINCE_LAST) is_owed &= is_none;
    if (since == HUB_SINCE_ID) is_owed &= log->all[i].seq > seq;
    is_none &= !is_owed;
    owe(sub, i, is_owed);
  }
  sub->low = 0;
  sub->is_clean = since == HUB_SINCE_NOW;
  sub->is_promised = !r->reader.hub.is_blocked;
  if (since != HUB_SINCE_NOW) r->last_seq = 0;
}

static void note_join(struct model *m, struct model_reader *r, int topic, enum hub_since since,
                      uint64_t seq) {
  struct model_sub *sub = &r->subs[topic];
  bool is_new = !sub->is_joined, is_first = true;
  for (int i = 0; i < READERS; i++)
    is_first &= !m->readers[i].subs[topic].is_joined || m->readers[i].port != r->port;
  if (is_first) m->logs[topic].delivered[r->port] = m->logs[topic].count;
  sub->is_joined = true;
  r->sub_count += is_new;
  if (is_new || since != HUB_SINCE_NOW) note_start(m, r, topic, since, seq);
}

static void do_join(struct model *m, const struct shape *s, struct model_reader *r) {
  static const enum hub_lag lags[] = {HUB_LAG_DEFAULT, HUB_LAG_DEFAULT, HUB_LAG_SKIP,
                                      HUB_LAG_LATEST};
  int topic = (int)pick(m, TOPICS), user = chance(m, s->as_share) ? (int)pick(m, USERS) : -1;
  unsigned number = user >= 0 && pick(m, 2) ? 1 + (unsigned)pick(m, 3) : 0;
  uint64_t newest = newest_seq(m), seq = newest - pick(m, newest < 100 ? newest + 1 : 100);
  char id[HUB_ID_MAX], as[32], info[16];
  hub_id_format(m->hub, seq, id);
  snprintf(as, sizeof as, "%d/user-%d", topic, user);
  snprintf(info, sizeof info, "%u", number);
  struct hub_join_options options = {
      .since = (enum hub_since)pick(m, 4), .id = slice_str(id), .lag = lags[pick(m, 4)]};
  if (user >= 0) options.as = slice_str(as);
  if (number > 0) options.info = slice_str(info);
  enum hub_status expected = expected_status(m, r, topic, user);
  struct hub_join_result result;
  enum hub_status got = hub_join(&r->reader.hub, slice_str(topic_names[topic]), &options, &result);
  // What a member costs is for presence_memory_test.
  bool may_be_full = user >= 0 && m->hub->presence_bytes + 2000 > m->hub->limits.max_bytes / 2;
  if (got == HUB_LIMIT_MEMBERS && may_be_full && expected != HUB_NO_PRESENCE) expected = got;
  assert_int_equal(got, expected);
  m->refused += expected <= HUB_LIMIT_TOPICS || expected == HUB_LIMIT;
  bool sets_lag = !r->subs[topic].is_joined || options.lag != HUB_LAG_DEFAULT;
  if (expected == HUB_OK && sets_lag) r->subs[topic].lag = options.lag;
  look(m, false);  // what it dropped, it dropped before it joined
  if (expected != HUB_OK) return;
  // Without history there is nothing to begin at.
  bool is_now = m->rules[topic].history == 0 && options.since != HUB_SINCE_ID;
  note_join(m, r, topic, is_now ? HUB_SINCE_NOW : options.since, seq);
  if (user >= 0) member_join(m, &r->subs[topic], topic, user, number);
  assert_true(result.seq <= newest);
  bool is_recovered = options.since == HUB_SINCE_ID && seq >= m->logs[topic].lost_seq;
  assert_int_equal(result.recovered, is_recovered);
  assert_int_equal(result.missed_known, options.since != HUB_SINCE_ID || is_recovered);
}

static void note_left(struct model *m, struct model_reader *r, int topic) {
  struct model_sub *sub = &r->subs[topic];
  if (!sub->is_joined) return;
  sub->is_joined = false;
  r->sub_count--;
  member_leave(m, sub, topic);
}

static void do_leave(struct model *m, struct model_reader *r) {
  int topic = (int)pick(m, TOPICS);
  enum hub_status status = hub_leave(&r->reader.hub, slice_str(topic_names[topic]));
  assert_int_equal(status, r->subs[topic].is_joined ? HUB_OK : HUB_NOT_JOINED);
  note_left(m, r, topic);
  look(m, false);
}

static void do_reopen(struct model *m, const struct shape *s, struct model_reader *r) {
  for (int t = 0; t < TOPICS; t++) note_left(m, r, t);
  if (r->reader.hub.port != NULL) reader_close(&r->reader);
  r->last_seq = 0;
  r->port = (int)pick(m, PORTS);
  reader_open(&r->reader, &m->ports[r->port], m->next_id++, (unsigned)pick(m, FORM_COUNT));
  if (pick(m, 4) == 0) r->reader.hub.form = HUB_FORM_NONE;
  r->reader.stops_at_gaps = s->has_stops && pick(m, 2);
  look(m, false);
}

static void do_stall(struct model *m, const struct shape *s, struct model_reader *r) {
  struct model_tap *tap = &m->taps[pick(m, PORTS)];
  if (r->reader.hub.is_blocked) {
    reader_resume(&r->reader, chance(m, s->stall_share) ? 1 + pick(m, 100) : SIZE_MAX);
  } else if (chance(m, s->stall_share)) {
    r->reader.budget = 1 + pick(m, 20);
    r->reader.is_lazy = s->has_lazy_readers && pick(m, 2);
  }
  if (tap->reader.hub.is_blocked || pick(m, 2)) {
    reader_resume(&tap->reader, SIZE_MAX);
  } else {
    tap->reader.budget = 1 + pick(m, 200);
  }
}

static void do_sweep(struct model *m) {
  hub_sweep(m->hub);
  members_sweep(m);
  check_diffs(m);
  for (int t = 0; t < TOPICS; t++) check_members(m, t);
  look(m, false);
  uint64_t bytes = 0;
  struct topic *t;
  for (size_t at = 0; (t = map_next(&m->hub->topics, &at)) != NULL;) {
    uint64_t ordinal;
    assert_false(topic_is_idle(t));
    if (!topic_is_empty(t)) bytes += HUB_TOPIC_COST;
    for (struct message *k = topic_next(t, 0, &ordinal); k != NULL;
         k = topic_next(t, ordinal + 1, &ordinal))
      bytes += message_cost(k);
  }
  assert_int_equal(bytes, m->hub->kept_bytes);
}

// All that a topic keeps gets as old as its ttl.
static void do_age(struct model *m) {
  struct topic *t = topics_find(m->hub, slice_str(topic_names[pick(m, TOPICS)]));
  uint64_t at;
  struct message *k = t != NULL ? topic_next(t, 0, &at) : NULL;
  for (; k != NULL; k = topic_next(t, at + 1, &at)) k->published_ms -= 3600 * 1000;
  m->is_retention_odd = true;
}

static void do_read(struct model *m) {
  int topic = (int)pick(m, TOPICS);
  struct hub_history_options options = {.limit = pick(m, 2) ? pick(m, 60) : 0,
                                        .is_reverse = pick(m, 2)};
  struct hub_history history = hub_history_read(m->hub, slice_str(topic_names[topic]), &options);
  look(m, false);
  const struct log *log = &m->logs[topic];
  size_t count = 0, wanted = options.limit > 0 ? options.limit : SIZE_MAX;
  if (m->rules[topic].history == 0) wanted = 0;
  for (size_t i = 0; i < log->count && count < wanted; i++) {
    const struct published *p = &log->all[options.is_reverse ? log->count - 1 - i : i];
    if (p->fate != KEPT) continue;
    assert_true(count < history.count && history.messages[count]->seq == p->seq);
    count++;
  }
  assert_int_equal(history.count, count);
  hub_history_free(&history);
  assert_int_equal(hub_count(m->hub, slice_str(topic_names[topic])), subscriber_count(m, topic));
}

static void step(struct model *m, const struct shape *s) {
  struct model_reader *r = &m->readers[pick(m, READERS)];
  uint64_t what = pick(m, 100);
  if (what < 50) {
    do_publish(m, s);
  } else if (what < 70) {
    do_deliver(m, s, (int)pick(m, PORTS));
  } else if (what < 79) {
    do_join(m, s, r);
  } else if (what < 82) {
    do_leave(m, r);
  } else if (what < 94) {
    do_stall(m, s, r);
  } else if (what < 95) {
    do_reopen(m, s, r);
  } else if (what < 97) {
    do_read(m);
  } else if (what < 98) {
    do_sweep(m);
  } else if (s->has_rule_changes && what < 99) {
    set_rules(m, s);
    m->is_retention_odd = true;
  } else if (s->has_rule_changes) {
    do_age(m);
  } else {
    check_members(m, (int)pick(m, TOPICS));
  }
  if (r->reader.hub.is_ended) do_reopen(m, s, r);
}

// ---- a life --------------------------------------------------------------

static struct model *begin(uint64_t seed, struct shape *shape, bool is_long) {
  struct model *m = mem_zalloc(sizeof *m);
  m->random = seed * 0x9E3779B97F4A7C15u;
  m->next_id = 1;
  *shape = draw_shape(m, is_long);
  m->hub = fixture_hub();
  m->has_memory_cap = shape->has_memory_cap;
  if (pick(m, 3) == 0) m->hub->limits.max_topics = 2 + (uint32_t)pick(m, 3);
  if (pick(m, 3) == 0) m->hub->limits.max_subscriptions = 4 + pick(m, 6);
  if (shape->has_memory_cap) m->hub->limits.max_bytes = 500 + pick(m, 20000);
  set_rules(m, shape);
  ear_open(&m->ear, m->hub);
  hub_join_pattern(&m->ear.reader, slice_str("presence:*"));
  for (int p = 0; p < PORTS; p++) {
    port_open(&m->ports[p], m->hub);
    reader_open(&m->taps[p].reader, &m->ports[p], 0, HUB_FORM_NONE);
    assert_int_equal(hub_join_pattern(&m->taps[p].reader.hub, slice_str("t*")), HUB_OK);
  }
  for (int i = 0; i < READERS; i++) {
    for (int t = 0; t < TOPICS; t++) m->readers[i].subs[t].user = -1;
    do_reopen(m, shape, &m->readers[i]);
  }
  return m;
}

// Everybody reads to the end: nothing that was published is unaccounted for.
static void finish(struct model *m, const struct shape *s) {
  for (int i = 0; i < READERS; i++) {
    m->readers[i].reader.is_lazy = false;
    reader_resume(&m->readers[i].reader, SIZE_MAX);
  }
  for (int p = 0; p < PORTS; p++) {
    reader_resume(&m->taps[p].reader, SIZE_MAX);
    do_deliver(m, s, p);
  }
  look(m, true);
  struct hub_counters *counters = hub_counters(m->hub);
  assert_int_equal(counters->lagged, m->missed);
  assert_int_equal(counters->joins_refused, m->refused);
  for (int i = 0; i < READERS; i++) {
    for (int t = 0; t < TOPICS; t++) note_left(m, &m->readers[i], t);
    reader_close(&m->readers[i].reader);
  }
  do_sweep(m);
  hub_rules_set(m->hub, NULL, 0);
  for (int p = 0; p < PORTS; p++) reader_close(&m->taps[p].reader);
  hub_sweep(m->hub);
  assert_int_equal(m->hub->kept_bytes + (uint64_t)counters->form_bytes, 0);
  assert_true(list_is_empty(&m->hub->used));
  if (!s->has_grace) assert_int_equal(hub_topic_count(m->hub) + m->hub->presence_bytes, 0);
}

static void end(struct model *m) {
  for (int p = 0; p < PORTS; p++) hub_port_free(m->ports[p].hub);
  ear_close(&m->ear);
  hub_free(m->hub);
  for (int t = 0; t < TOPICS; t++) {
    free(m->logs[t].all);
    for (int i = 0; i < READERS; i++) free(m->readers[i].subs[t].owed);
  }
  free(m->seqs);
  free(m);
}

static uint64_t current_seed;
static struct { uint64_t delivered, missed, conflated, evicted_memory, refused; } total;

static void live(uint64_t seed, bool is_long) {
  struct shape shape;
  current_seed = seed;
  struct model *m = begin(seed, &shape, is_long);
  for (unsigned i = 0; i < shape.steps; i++) step(m, &shape);
  finish(m, &shape);
  total.delivered += m->delivered;
  total.missed += m->missed;
  total.conflated += counted(&hub_counters(m->hub)->conflated);
  total.evicted_memory += counted(&hub_counters(m->hub)->evicted_memory);
  total.refused += m->refused;
  end(m);
}

static int tell_seed(void **state) {
  (void)state;
  print_message("last life: SEED=%llu\n", (unsigned long long)current_seed);
  return 0;
}

static bool is_alone(uint64_t *seed) {
  const char *given = getenv("SEED");
  if (given != NULL) *seed = strtoull(given, NULL, 10);
  return given != NULL;
}

// How many of `all` are lived.
static uint64_t life_count(uint64_t all) {
  const char *given = getenv("LIVES");
  uint64_t wanted = given != NULL ? strtoull(given, NULL, 10) : LIVES / LIVES_SHARE;
  return (all * wanted + LIVES - 1) / LIVES;
}

static void test_short_lives(void **state) {
  (void)state;
  uint64_t seed;
  if (is_alone(&seed)) {
    live(seed, false);
    return;
  }
  const uint64_t lives = life_count(LIVES);
  for (seed = 1; seed <= lives; seed++) live(seed, false);
  // The lives are of some use only if all this happened often.
  assert_true(total.delivered > 100 * lives && total.missed > 5 * lives);
  assert_true(total.conflated > 5 * lives && total.evicted_memory > 5 * lives);
  assert_true(total.refused > lives);
}

static void test_long_lives(void **state) {
  (void)state;
  uint64_t seed;
  if (is_alone(&seed)) {
    live(seed, true);
    return;
  }
  const uint64_t lives = life_count(LONG_LIVES);
  for (seed = 1; seed <= lives; seed++) live(seed, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_short_lives, tell_seed),
      cmocka_unit_test_teardown(test_long_lives, tell_seed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
