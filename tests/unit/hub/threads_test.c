// The hub under threads: two ports with their readers, two publishers beside
// them, and a third port whose readers come, replay and go. Every subscriber
// gets every message once and in order. Meant for ThreadSanitizer.
#include <pthread.h>

#include "hub_fixture.h"

enum { PORTS = 2, READERS = 6, PUBLISHERS = 2, MESSAGES = 15000, SOURCES = PUBLISHERS + PORTS };

// Failures are counted: cmocka cannot be told from another thread.
static atomic_uint failure_count;
#define CHECK(claim)                                       \
  if (!(claim) && atomic_fetch_add(&failure_count, 1) < 5) \
  print_error("line %d: %s\n", __LINE__, #claim)

struct counting_reader {
  struct hub_reader hub;
  uint64_t last_seq;
  uint64_t counts[SOURCES];  // received of each source
  uint64_t total;
  uint64_t missed;
};

struct thread {
  pthread_t id;
  struct hub *hub;
  struct hub_port *port;
  unsigned source;
  pthread_mutex_t lock;
  pthread_cond_t woken;
  bool is_woken;
  struct counting_reader readers[READERS];
};

static atomic_bool is_over;

static void wake(void *ctx) {
  struct thread *t = ctx;
  pthread_mutex_lock(&t->lock);
  t->is_woken = true;
  pthread_cond_signal(&t->woken);
  pthread_mutex_unlock(&t->lock);
}

static void wait_for_wake(struct thread *t) {
  pthread_mutex_lock(&t->lock);
  while (!t->is_woken) pthread_cond_wait(&t->woken, &t->lock);
  t->is_woken = false;
  pthread_mutex_unlock(&t->lock);
}

static void encode(const struct message *m, const char *epoch, void *tools, struct buf *out) {
  (void)epoch, (void)tools;
  buf_append_slice(out, message_payload(m));
}

// A payload is "<source> <number>", the numbers of a source counting from 1.
static size_t deliver(struct hub_reader *hub_reader, const struct hub_batch *batch) {
  struct counting_reader *r = list_entry(hub_reader, struct counting_reader, hub);
  size_t start = 0;
  for (size_t i = 0; i < batch->count; i++) {
    struct slice s = hub_form(hub_reader->port, batch->messages[i], hub_reader->form);
    if (batch->bytes.ptr != NULL) s = slice_of(batch->bytes.ptr + start, batch->ends[i] - start);
    start += s.len;
    unsigned source = 0;
    unsigned long long number = 0;
    char text[32] = "";
    memcpy(text, s.ptr, s.len);
    CHECK(sscanf(text, "%u %llu", &source, &number) == 2 && source < SOURCES);
    CHECK(batch->messages[i]->seq > r->last_seq);
    // All are received from the first on, so an order without hole counts up by one.
    CHECK(r->missed > 0 || r->counts[source] == 0 || number == r->counts[source] + 1);
    r->last_seq = batch->messages[i]->seq;
    r->counts[source] = number;
    r->total++;
  }
  return batch->count;
}

static void gap(struct hub_reader *hub_reader, struct slice topic, uint64_t missed,
                enum hub_lag policy) {
  (void)topic, (void)policy;
  list_entry(hub_reader, struct counting_reader, hub)->missed += missed;
}

static const struct hub_port_ops ops = {wake, deliver, gap};

static void publish_next(struct thread *t, uint64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%u %llu", t->source, (unsigned long long)number);
  // Every source has a topic of its own, and all but one reader follow all of them.
  char topic[] = "t0";
  topic[1] = (char)('0' + t->source);
  struct message *m = message_of(topic, text, 0, MESSAGE_TEXT);
  CHECK(hub_publish(t->hub, t->port, m, NULL) == HUB_OK);
}

static void *run_publisher(void *arg) {
  struct thread *t = arg;
  for (uint64_t i = 1; i <= MESSAGES; i++) publish_next(t, i);
  return NULL;
}

static bool is_complete(const struct thread *t) {
  for (int i = 0; i < READERS; i++) {
    if (t->readers[i].total < (uint64_t)MESSAGES * (i == 0 ? 1 : SOURCES)) return false;
  }
  return true;
}

static void *run_port(void *arg) {
  struct thread *t = arg;
  uint64_t number = 0;
  while (!is_complete(t)) {
    hub_deliver(t->port);
    for (int i = 0; i < 10 && number < MESSAGES; i++) publish_next(t, ++number);
    hub_deliver(t->port);
    if (number == MESSAGES && !is_complete(t)) wait_for_wake(t);
  }
  return NULL;
}

// Joins at odd times, replays, and leaves: what comes is in order all the same.
static void *run_visitors(void *arg) {
  struct thread *t = arg;
  static const enum hub_since sinces[] = {HUB_SINCE_FIRST, HUB_SINCE_LAST, HUB_SINCE_NOW};
  for (unsigned round = 0; !atomic_load(&is_over); round++) {
    struct counting_reader *r = &t->readers[round % READERS];
    if (r->hub.port != NULL) hub_reader_close(&r->hub);
    *r = (struct counting_reader){0};
    hub_reader_init(&r->hub, t->port, 1, round % 2);
    struct hub_join_options options = {.since = sinces[round % 3]};
    hub_join(&r->hub, slice_str("t0"), &options, NULL);
    hub_join(&r->hub, slice_str("t2"), &options, NULL);
    hub_count(t->hub, slice_str("t1"));
    for (int i = 0; i < 3; i++) hub_deliver(t->port);
    for (int i = 0; i < READERS; i++) CHECK(t->readers[i].missed == 0);
    if (round % 16 == 0) hub_sweep(t->hub);
  }
  for (int i = 0; i < READERS; i++) {
    if (t->readers[i].hub.port != NULL) hub_reader_close(&t->readers[i].hub);
  }
  return NULL;
}

static void open_port(struct thread *t, struct hub *hub) {
  t->hub = hub;
  t->port = hub_port_new(hub, &ops, t);
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->woken, NULL);
}

static void open_readers(struct thread *t) {
  for (unsigned i = 0; i < READERS; i++) {
    struct counting_reader *r = &t->readers[i];
    hub_reader_init(&r->hub, t->port, 1, i % 2);
    const struct hub_join_options options = {0};
    for (unsigned source = 0; source < (i == 0 ? 1 : SOURCES); source++) {
      char topic[] = {'t', (char)('0' + source), 0};
      hub_join(&r->hub, slice_str(topic), &options, NULL);
    }
  }
}

static void close_port(struct thread *t) {
  hub_port_free(t->port);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->woken);
}

static void test_every_message_once_and_in_order(void **state) {
  (void)state;
  static message_encode_fn *const encoders[] = {encode, encode};
  struct hub *hub = hub_new(encoders, 2);
  struct thread *ports = mem_zalloc(PORTS * sizeof *ports);
  struct thread *visitors = mem_zalloc(sizeof *visitors);
  struct thread *publishers = mem_zalloc(PUBLISHERS * sizeof *publishers);
  open_port(visitors, hub);
  for (unsigned i = 0; i < PORTS; i++) {
    open_port(&ports[i], hub);
    open_readers(&ports[i]);
    ports[i].source = PUBLISHERS + i;
  }
  for (unsigned i = 0; i < PORTS; i++) pthread_create(&ports[i].id, NULL, run_port, &ports[i]);
  for (unsigned i = 0; i < PUBLISHERS; i++) {
    publishers[i].hub = hub;
    publishers[i].source = i;
    pthread_create(&publishers[i].id, NULL, run_publisher, &publishers[i]);
  }
  pthread_create(&visitors->id, NULL, run_visitors, visitors);

  for (unsigned i = 0; i < PUBLISHERS; i++) pthread_join(publishers[i].id, NULL);
  for (unsigned i = 0; i < PORTS; i++) pthread_join(ports[i].id, NULL);
  atomic_store(&is_over, true);
  pthread_join(visitors->id, NULL);

  for (unsigned i = 0; i < PORTS; i++) {
    for (unsigned k = 0; k < READERS; k++) {
      struct counting_reader *r = &ports[i].readers[k];
      assert_int_equal(r->total, (uint64_t)MESSAGES * (k == 0 ? 1 : SOURCES));
      assert_int_equal(r->missed, 0);
      hub_reader_close(&r->hub);
    }
    close_port(&ports[i]);
  }
  close_port(visitors);
  assert_int_equal(failure_count, 0);
  assert_int_equal(hub_counters(hub)->published, (uint64_t)MESSAGES * SOURCES);
  assert_true(hub_counters(hub)->encoded <= (long long)MESSAGES * SOURCES * 2);
  assert_int_equal(hub_topic_count(hub), 0);
  hub_free(hub);
  free(ports);
  free(visitors);
  free(publishers);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_message_once_and_in_order)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
