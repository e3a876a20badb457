// The hub without a server: fan-out to fake readers in both wire forms,
// publishing to nobody, replaying a log, conflation.
#include "hub/hub.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "count.h"
#include "net/wire.h"

enum { READERS = 1000, UNITS = 1000, TURNS = 16, TOPICS = 100, KEYS = 10, MERGED = 10 };

struct fixture {
  struct hub *hub;
  struct hub_port *port;
  struct hub_reader *readers;
  size_t reader_count;
  size_t taken_count, taken_bytes;
  unsigned per_turn;     // messages published between two deliveries
  unsigned topic_count;  // published to in turn
  unsigned key_count;    // used in turn; 0: no keys
};

static void on_wake(void *ctx) { (void)ctx; }

static size_t on_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct fixture *f = hub_port_ctx(reader->port);
  f->taken_count += batch->count;
  f->taken_bytes += batch->bytes.len;
  return batch->count;
}

static void on_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                   enum hub_lag policy) {
  (void)reader, (void)topic, (void)missed, (void)policy;
  count_expect(false, "a reader lagged");
}

static const char *topic_name(unsigned i) {
  static char name[32];
  snprintf(name, sizeof name, "bench/%u", i);
  return name;
}

static void fixture_open(struct fixture *f, uint32_t history) {
  static const struct hub_port_ops ops = {on_wake, on_deliver, on_gap};
  f->hub = hub_new(wire_encoders, WIRE_FORMS);
  struct hub_rule rule = {.pattern = "bench/*", .history = history};
  if (history > 0) hub_rules_set(f->hub, &rule, 1);
  f->port = hub_port_new(f->hub, &ops, f);
  f->readers = mem_zalloc(READERS * sizeof *f->readers);
}

static struct hub_reader *add_reader(struct fixture *f, enum wire_form form) {
  struct hub_reader *reader = &f->readers[f->reader_count++];
  hub_reader_init(reader, f->port, f->reader_count, form);
  return reader;
}

static void join(struct hub_reader *reader, unsigned topic, enum hub_since since) {
  struct hub_join_options options = {.since = since};
  count_expect(hub_join(reader, slice_str(topic_name(topic)), &options, NULL) == HUB_OK,
               "a join failed");
}

static void publish(struct fixture *f, unsigned i) {
  static const char payload[128] = "payload";
  char key[16] = "";
  if (f->key_count > 0) snprintf(key, sizeof key, "key %u", i % f->key_count);
  struct message *m =
      message_new(&(struct message_fields){.payload = slice_of(payload, sizeof payload),
                                           .key = slice_str(key),
                                           .topic = slice_str(topic_name(i % f->topic_count))});
  count_expect(hub_publish(f->hub, f->port, m, NULL) == HUB_OK, "a publish failed");
}

static void fixture_close(struct fixture *f) {
  for (size_t i = 0; i < f->reader_count; i++) hub_reader_close(&f->readers[i]);
  hub_port_free(f->port);
  hub_free(f->hub);
  free(f->readers);
}

// Runs `work` twice, the second time counted, and expects that much to be taken then.
static void measure(struct fixture *f, void (*work)(void *), size_t expected) {
  work(f);
  f->taken_count = f->taken_bytes = 0;
  count_measure(work, f);
  count_expect(f->taken_count == expected, "readers did not get what they should");
  fixture_close(f);
}

// ---- fan-out -------------------------------------------------------------

static void fan_out(void *arg) {
  struct fixture *f = arg;
  for (unsigned i = 0; i < TURNS; i++) {
    publish(f, i);
    if ((i + 1) % f->per_turn == 0) hub_deliver(f->port);
  }
}

static void fan_out_to(const enum wire_form forms[2], unsigned per_turn) {
  struct fixture f = {.per_turn = per_turn, .topic_count = 1};
  fixture_open(&f, 0);
  for (unsigned i = 0; i < READERS; i++) join(add_reader(&f, forms[i % 2]), 0, HUB_SINCE_NOW);
  measure(&f, fan_out, (size_t)READERS * TURNS);
}

static void run_fan_out_ws(int per_turn) {
  fan_out_to((enum wire_form[]){WIRE_WS, WIRE_WS}, (unsigned)per_turn);
}

static void run_fan_out_sse(int per_turn) {
  fan_out_to((enum wire_form[]){WIRE_SSE, WIRE_SSE}, (unsigned)per_turn);
}

static void run_fan_out_half(int per_turn) {
  fan_out_to((enum wire_form[]){WIRE_WS, WIRE_SSE}, (unsigned)per_turn);
}

// ---- publishing ----------------------------------------------------------

static void publish_all(void *arg) {
  struct fixture *f = arg;
  for (unsigned i = 0; i < UNITS; i++) {
    publish(f, i);
    hub_deliver(f->port);
  }
}

// To topics that are gone again at once, or keep 100 messages.
static void run_publish(int history) {
  struct fixture f = {.topic_count = TOPICS};
  fixture_open(&f, (uint32_t)history);
  measure(&f, publish_all, 0);
}

// To one subscriber: what a message costs that is not shared out among many.
static void run_publish_to_one(int form) {
  struct fixture f = {.topic_count = 1};
  fixture_open(&f, 0);
  join(add_reader(&f, (enum wire_form)form), 0, HUB_SINCE_NOW);
  measure(&f, publish_all, UNITS);
}

// ---- from the log --------------------------------------------------------

// A new reader joins from the first kept message on, and leaves.
static void replay(void *arg) {
  struct fixture *f = arg;
  struct hub_reader *reader = add_reader(f, WIRE_WS);
  for (unsigned i = 0; i < f->topic_count; i++) join(reader, i, HUB_SINCE_FIRST);
  hub_deliver(f->port);
}

static void run_replay(int topic_count) {
  struct fixture f = {.topic_count = (unsigned)topic_count};
  fixture_open(&f, UNITS);
  for (unsigned i = 0; i < UNITS; i++) publish(&f, i);
  measure(&f, replay, UNITS);
}

// A reader that is blocked while many messages of few keys come.
static void conflate(void *arg) {
  struct fixture *f = arg;
  f->readers[0].is_blocked = true;
  publish_all(f);
  hub_reader_resume(&f->readers[0]);
  hub_deliver(f->port);
}

static void run_conflate(int key_count) {
  struct fixture f = {.topic_count = 1, .key_count = (unsigned)key_count};
  fixture_open(&f, UNITS);
  join(add_reader(&f, WIRE_WS), 0, HUB_SINCE_NOW);
  measure(&f, conflate, (size_t)key_count);
}

const struct count_case count_hub_cases[] = {
    {"fan-out-ws", READERS *TURNS, "delivery", run_fan_out_ws, 1},
    {"fan-out-ws-16", READERS *TURNS, "delivery", run_fan_out_ws, 16},
    {"fan-out-sse", READERS *TURNS, "delivery", run_fan_out_sse, 1},
    {"fan-out-sse-16", READERS *TURNS, "delivery", run_fan_out_sse, 16},
    {"fan-out-half", READERS *TURNS, "delivery", run_fan_out_half, 1},
    {"publish", UNITS, "message", run_publish, 0},
    {"publish-kept", UNITS, "message", run_publish, 100},
    {"publish-to-one-ws", UNITS, "message", run_publish_to_one, WIRE_WS},
    {"publish-to-one-sse", UNITS, "message", run_publish_to_one, WIRE_SSE},
    {"replay", UNITS, "message", run_replay, 1},
    {"replay-merged", UNITS, "message", run_replay, MERGED},
    {"conflate", UNITS, "message", run_conflate, KEYS},
    {0},
};
