// All of the hub at once under threads: publishers with keys, ports whose
// readers come as members, replay and go, a tap, somebody who asks questions,
// and sweeps under changing rules. Meant for ThreadSanitizer; what must be true
// at any time is checked all the same.
#include <pthread.h>
#include <sched.h>

#include "hub/topics.h"
#include "hub_fixture.h"

enum { PORTS = 2, PUBLISHERS = 2, TOPICS = 4, KEYS = 5, VISITORS = 6, MESSAGES = 20000 };

// Failures are counted: cmocka cannot be told from another thread.
static atomic_uint failure_count;
#define CHECK(claim)                                       \
  if (!(claim) && atomic_fetch_add(&failure_count, 1) < 5) \
  print_error("line %d: %s\n", __LINE__, #claim)

struct party {
  struct hub_reader hub;
  bool is_patient;  // stays from the beginning to the end
  uint64_t last_seq, total, missed;
  uint64_t newest[TOPICS][KEYS];  // the number it saw last
};

struct side {
  pthread_t id;
  struct hub *hub;
  struct hub_port *port;
  unsigned number;
  struct party patient, visitors[VISITORS], tap;
};

static atomic_uint busy_count;  // publishers that are not done
static atomic_bool is_over;

static void wake(void *ctx) { (void)ctx; }

// A payload is "<topic> <key> <number>"; numbers of a topic's key only grow.
static void note(struct party *p, const struct message *m) {
  unsigned topic = 0, key = 0;
  unsigned long long number = 0;
  char text[40] = "";
  CHECK(m->seq > p->last_seq);
  p->last_seq = m->seq;
  p->total++;
  if (m->event_len > 0) return;  // a diff of presence
  memcpy(text, message_payload(m).ptr, message_payload(m).len);
  CHECK(sscanf(text, "%u %u %llu", &topic, &key, &number) == 3);
  CHECK(topic < TOPICS && key < KEYS && number > p->newest[topic][key]);
  p->newest[topic][key] = number;
}

static size_t deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct party *p = list_entry(reader, struct party, hub);
  // Now and then somebody takes less, and is asked again as one that is behind.
  size_t taken = batch->count > 3 && p->total % 7 == 0 ? batch->count / 2 : batch->count;
  for (size_t i = 0; i < taken; i++) note(p, batch->messages[i]);
  return taken;
}

static void gap(struct hub_reader *reader, struct slice topic, uint64_t missed, enum hub_lag lag) {
  (void)topic, (void)lag;
  list_entry(reader, struct party, hub)->missed += missed;
}

static const struct hub_port_ops ops = {wake, deliver, gap};

static void encode(const struct message *m, const char *epoch, void *tools, struct buf *out) {
  (void)epoch, (void)tools;
  buf_append_slice(out, message_payload(m));
}

// Each publisher has the topics of its parity, so that their numbers grow.
static void *run_publisher(void *arg) {
  struct side *s = arg;
  for (uint64_t i = 1; i <= MESSAGES; i++) {
    char text[40], topic[8], key[2] = "";
    unsigned t = (unsigned)(i * PUBLISHERS + s->number) % TOPICS, k = (unsigned)(i / 3) % KEYS;
    snprintf(text, sizeof text, "%u %u %llu", t, k, (unsigned long long)i);
    snprintf(topic, sizeof topic, "t%u", t);
    if (k > 0) key[0] = (char)('a' + k);
    struct message *m = message_new(&(struct message_fields){
        .payload = slice_str(text), .topic = slice_str(topic), .key = slice_str(key)});
    CHECK(hub_publish(s->hub, NULL, m, NULL) == HUB_OK);
  }
  atomic_fetch_sub(&busy_count, 1);
  return NULL;
}

static void visit(struct side *s, unsigned round) {
  struct party *p = &s->visitors[round % VISITORS];
  static const enum hub_since sinces[] = {HUB_SINCE_FIRST, HUB_SINCE_LAST, HUB_SINCE_ID,
                                          HUB_SINCE_NOW};
  if (p->hub.port != NULL) hub_reader_close(&p->hub);
  char id[HUB_ID_MAX], as[16], info[16];
  hub_id_format(s->hub, p->last_seq, id);
  snprintf(as, sizeof as, "user-%u", round % 4);
  snprintf(info, sizeof info, "%u", round);
  *p = (struct party){0};
  hub_reader_init(&p->hub, s->port, 1 + round, round % 2);
  struct hub_join_options options = {.since = sinces[round % 4], .id = slice_str(id)};
  hub_join(&p->hub, slice_str("t0"), &options, NULL);
  options.as = slice_str(as);
  if (round % 3 > 0) options.info = slice_str(info);
  hub_join(&p->hub, slice_str(round % 2 ? "t1" : "t2"), &options, NULL);
  if (round % 5 == 0) hub_leave(&p->hub, slice_str("t0"));
}

static void *run_port(void *arg) {
  struct side *s = arg;
  for (unsigned round = 0; !atomic_load(&is_over); round++) {
    if (atomic_load(&busy_count) > 0) visit(s, round);
    hub_deliver(s->port);
    if (!hub_port_has_work(s->port)) sched_yield();
  }
  for (int i = 0; i < VISITORS; i++) {
    if (s->visitors[i].hub.port != NULL) hub_reader_close(&s->visitors[i].hub);
  }
  while (hub_port_has_work(s->port)) hub_deliver(s->port);
  return NULL;
}

// Whatever comes and goes meanwhile, those that stay are listed once.
static void ask_for_topics(struct hub *hub) {
  size_t count, seen[TOPICS] = {0};
  bool has_more;
  struct hub_topic_info *topics = list_topics(hub, "**", SIZE_MAX, &count, &has_more);
  for (size_t i = 0; i < count; i++) {
    if (topics[i].name_len == 2 && topics[i].name[0] == 't') seen[topics[i].name[1] - '0']++;
  }
  for (int t = 0; t < TOPICS; t++) CHECK(seen[t] == 1);
  CHECK(!has_more);
  free(topics);
}

static void ask(struct hub *hub, unsigned round) {
  char topic[] = "t0";
  topic[1] = (char)('0' + round % TOPICS);
  const struct hub_history_options options = {.limit = round % 9, .is_reverse = round % 2};
  struct hub_history history = hub_history_read(hub, slice_str(topic), &options);
  for (size_t i = 1; i < history.count; i++) {
    CHECK((history.messages[i]->seq < history.messages[i - 1]->seq) == options.is_reverse);
  }
  hub_history_free(&history);
  ask_for_topics(hub);
  struct buf out = {0};
  hub_presence(hub, slice_str(topic), &out);
  CHECK(buf_len(&out) >= 2 && out.data[out.end - 1] == ']');
  buf_free(&out);
  CHECK(hub_count(hub, slice_str(topic)) >= PORTS);
}

// Topics that come and go move the others about in the hub's map.
static void *run_asker(void *arg) {
  struct side *s = arg;
  for (unsigned round = 0; !atomic_load(&is_over); round++) {
    ask(s->hub, round);
    for (unsigned i = 0; i < 100; i++) {
      char name[24];
      snprintf(name, sizeof name, "brief/%u", round * 100 + i);
      hub_publish(s->hub, NULL, message_of(name, "x", 0, MESSAGE_TEXT), NULL);
    }
  }
  return NULL;
}

static void set_rules(struct hub *hub, uint32_t history) {
  const struct hub_rule rules[] = {
      {.pattern = "t*", .history = history, .grace_ms = HUB_GRACE_NONE},
      {.pattern = "brief/*", .history = 1, .ttl_ms = 1},
  };
  hub_rules_set(hub, rules, 2);
}

static void *run_sweeper(void *arg) {
  struct side *s = arg;
  for (uint32_t round = 0; !atomic_load(&is_over); round++) {
    hub_sweep(s->hub);
    if (round % 10 == 0) set_rules(s->hub, 5 + round % 50);
    sched_yield();
  }
  return NULL;
}

static void open_side(struct side *s, struct hub *hub) {
  s->hub = hub;
  s->port = hub_port_new(hub, &ops, s);
  hub_reader_init(&s->patient.hub, s->port, 0, s->number % 2);
  hub_reader_init(&s->tap.hub, s->port, 0, HUB_FORM_NONE);
  const struct hub_join_options options = {0};
  for (int t = 0; t < TOPICS; t++) {
    char topic[] = {'t', (char)('0' + t), 0};
    hub_join(&s->patient.hub, slice_str(topic), &options, NULL);
  }
  hub_join(&s->patient.hub, slice_str("presence:t1"), &options, NULL);
  hub_join_pattern(&s->tap.hub, slice_str("t*"));
}

static void check_side(const struct side *s) {
  assert_int_equal(s->tap.total, MESSAGES * PUBLISHERS);
  assert_int_equal(s->tap.missed, 0);
  for (int t = 0; t < TOPICS; t++) {
    for (int k = 0; k < KEYS; k++) assert_int_equal(s->patient.newest[t][k], s->tap.newest[t][k]);
  }
}

static void run_all(struct side *sides, struct side *others, struct hub *hub) {
  void *(*const runs[])(void *) = {run_asker, run_sweeper};
  struct side *publishers = others + 2;
  atomic_store(&busy_count, PUBLISHERS);
  for (unsigned i = 0; i < PUBLISHERS; i++) {
    publishers[i].hub = hub;
    publishers[i].number = i;
    pthread_create(&publishers[i].id, NULL, run_publisher, &publishers[i]);
  }
  for (int i = 0; i < PORTS; i++) pthread_create(&sides[i].id, NULL, run_port, &sides[i]);
  for (int i = 0; i < 2; i++) {
    others[i].hub = hub;
    pthread_create(&others[i].id, NULL, runs[i], &others[i]);
  }
  for (unsigned i = 0; i < PUBLISHERS; i++) pthread_join(publishers[i].id, NULL);
  atomic_store(&is_over, true);
  for (int i = 0; i < PORTS; i++) pthread_join(sides[i].id, NULL);
  for (int i = 0; i < 2; i++) pthread_join(others[i].id, NULL);
}

static void test_all_at_once(void **state) {
  (void)state;
  static message_encode_fn *const encoders[] = {encode, encode};
  struct hub *hub = hub_new(encoders, 2);
  struct side *sides = mem_zalloc(PORTS * sizeof *sides);
  struct side *others = mem_zalloc((2 + PUBLISHERS) * sizeof *others);
  set_rules(hub, 20);
  for (unsigned i = 0; i < PORTS; i++) {
    sides[i].number = i;
    open_side(&sides[i], hub);
  }
  run_all(sides, others, hub);
  hub_sweep(hub);  // the last members leave
  struct buf members = {0};
  hub_presence(hub, slice_str("t1"), &members);
  assert_true(slice_equal(buf_slice(&members), slice_str("[]")));
  buf_free(&members);
  for (int i = 0; i < PORTS; i++) {
    while (hub_port_has_work(sides[i].port)) hub_deliver(sides[i].port);
    check_side(&sides[i]);
    hub_reader_close(&sides[i].patient.hub);
    hub_reader_close(&sides[i].tap.hub);
    hub_port_free(sides[i].port);
  }
  assert_int_equal(failure_count, 0);
  hub_rules_set(hub, NULL, 0);
  for (int i = 0; i < 2 * HUB_SWEEP_CALLS && hub_topic_count(hub) > 0; i++) hub_sweep(hub);
  assert_int_equal(hub_topic_count(hub), 0);
  assert_int_equal(hub->kept_bytes, 0);
  assert_int_equal(hub_counters(hub)->form_bytes, 0);
  assert_true(hub_counters(hub)->conflated > 0);
  hub_free(hub);
  free(sides);
  free(others);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
