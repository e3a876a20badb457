// What the hub's tests share: a hub with two wire forms, ports, and readers
// that write down all they are given and can be made to block.
#ifndef TIDEGATE_TESTS_HUB_FIXTURE_H
#define TIDEGATE_TESTS_HUB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "hub/hub.h"

static inline uint64_t counted(const metric_value *counter) {
  return (uint64_t)metric_get(counter);
}

static inline uint64_t hub_topic_count(struct hub *hub) {
  return counted(&hub_counters(hub)->topics);
}

static inline struct hub_topic_info *list_topics(struct hub *hub, const char *pattern, size_t limit,
                                                 size_t *count, bool *has_more) {
  const struct hub_topics_query query = {.pattern = slice_str(pattern), .limit = limit};
  return hub_topics(hub, &query, count, has_more);
}

enum { FORM_ALL, FORM_TEXT, FORM_COUNT };  // the second cannot carry binary

struct event {
  bool is_gap;
  uint64_t seq;
  uint64_t missed;
  enum hub_lag policy;
  char text[32];  // payload, or topic of a gap
};

struct reader {
  struct hub_reader hub;
  struct event *events;
  size_t event_count;
  size_t event_cap;
  size_t budget;        // messages it takes before it blocks
  bool is_lazy;         // takes a few a call, and does not say that it is blocked
  bool stops_at_gaps;   // blocks when it is told one
  bool is_at_gap;       // it has, and nobody resumed it yet
  size_t shared_count;  // deliver calls with a contiguous batch
  size_t call_count;
  const char *bytes;  // of the last contiguous batch
};

struct port {
  struct hub_port *hub;
  unsigned wake_count;
};

static inline void encode_all(const struct message *m, const char *epoch, void *tools,
                              struct buf *out) {
  (void)tools;
  buf_printf(out, "%s-%llu:", epoch, (unsigned long long)m->seq);
  buf_append_slice(out, message_payload(m));
}

static inline void encode_text(const struct message *m, const char *epoch, void *tools,
                               struct buf *out) {
  (void)epoch, (void)tools;
  if (m->kind == MESSAGE_TEXT) buf_append_slice(out, message_payload(m));
}

static inline struct hub *fixture_hub(void) {
  static message_encode_fn *const encoders[FORM_COUNT] = {encode_all, encode_text};
  return hub_new(encoders, FORM_COUNT);
}

static inline void fixture_wake(void *ctx) { ((struct port *)ctx)->wake_count++; }

static inline struct event *reader_add_event(struct reader *r) {
  if (r->event_count == r->event_cap) {
    r->event_cap = r->event_cap == 0 ? 16 : r->event_cap * 2;
    r->events = mem_realloc(r->events, r->event_cap * sizeof *r->events);
  }
  struct event *e = &r->events[r->event_count++];
  *e = (struct event){0};
  return e;
}

// Every contiguous batch is compared with what each message encodes to.
static inline void check_batch(const struct reader *r, const struct hub_batch *batch) {
  assert_true(batch->count > 0);
  size_t start = 0;
  for (size_t i = 0; i < batch->count; i++) {
    uint64_t except = batch->messages[i]->except;
    assert_true(except == 0 || except != r->hub.id);
    assert_true(i == 0 || batch->messages[i]->seq > batch->messages[i - 1]->seq);
    if (batch->bytes.ptr == NULL) continue;
    struct slice form = hub_form(r->hub.port, batch->messages[i], r->hub.form);
    assert_true(slice_equal(form, slice_of(batch->bytes.ptr + start, batch->ends[i] - start)));
    start = batch->ends[i];
  }
  if (batch->bytes.ptr != NULL) assert_int_equal(start, batch->bytes.len);
}

static inline size_t fixture_deliver(struct hub_reader *hub_reader, const struct hub_batch *batch) {
  struct reader *r = list_entry(hub_reader, struct reader, hub);
  assert_false(hub_reader->is_blocked);
  assert_false(hub_reader->is_ended);
  check_batch(r, batch);
  r->call_count++;
  r->shared_count += batch->bytes.ptr != NULL;
  r->bytes = batch->bytes.ptr;
  size_t taken = batch->count < r->budget ? batch->count : r->budget;
  if (r->is_lazy && taken > 5) taken = 5;
  for (size_t i = 0; i < taken; i++) {
    struct event *e = reader_add_event(r);
    struct slice text = message_payload(batch->messages[i]);
    e->seq = batch->messages[i]->seq;
    snprintf(e->text, sizeof e->text, "%.*s", (int)text.len, text.ptr);
  }
  if (r->budget != SIZE_MAX) r->budget -= taken;
  if (r->budget == 0) hub_reader->is_blocked = true;
  return taken;
}

static inline void fixture_gap(struct hub_reader *hub_reader, struct slice topic, uint64_t missed,
                               enum hub_lag policy) {
  struct reader *r = list_entry(hub_reader, struct reader, hub);
  struct event *e = reader_add_event(r);
  if (r->stops_at_gaps) hub_reader->is_blocked = r->is_at_gap = true;
  e->is_gap = true;
  e->missed = missed;
  e->policy = policy;
  snprintf(e->text, sizeof e->text, "%.*s", (int)topic.len, topic.ptr);
}

static inline void port_open(struct port *p, struct hub *hub) {
  static const struct hub_port_ops ops = {fixture_wake, fixture_deliver, fixture_gap};
  *p = (struct port){0};
  p->hub = hub_port_new(hub, &ops, p);
}

static inline void reader_open(struct reader *r, struct port *p, uint64_t id, unsigned form) {
  *r = (struct reader){.budget = SIZE_MAX};
  hub_reader_init(&r->hub, p->hub, id, form);
}

static inline void reader_close(struct reader *r) {
  hub_reader_close(&r->hub);
  free(r->events);
  r->events = NULL;
  r->event_count = r->event_cap = 0;
}

static inline void reader_resume(struct reader *r, size_t budget) {
  r->budget = budget;
  r->is_at_gap = false;
  hub_reader_resume(&r->hub);
}

static inline void reader_block(struct reader *r) {
  r->budget = 0;
  r->hub.is_blocked = true;
}

static inline struct hub_join_result join_as(struct reader *r, const char *topic,
                                             enum hub_since since, const char *id,
                                             enum hub_lag lag) {
  struct hub_join_options options = {.since = since, .id = slice_str(id), .lag = lag};
  struct hub_join_result result;
  assert_int_equal(hub_join(&r->hub, slice_str(topic), &options, &result), HUB_OK);
  return result;
}

static inline void join(struct reader *r, const char *topic) {
  join_as(r, topic, HUB_SINCE_NOW, NULL, HUB_LAG_DEFAULT);
}

static inline struct hub_join_result join_after(struct reader *r, const char *topic,
                                                struct hub *hub, uint64_t seq) {
  char id[HUB_ID_MAX];
  hub_id_format(hub, seq, id);
  return join_as(r, topic, HUB_SINCE_ID, id, HUB_LAG_DEFAULT);
}

static inline struct message *message_of(const char *topic, const char *text, uint64_t except,
                                         enum message_kind kind) {
  return message_new(&(struct message_fields){
      .kind = kind, .payload = slice_str(text), .topic = slice_str(topic), .except = except});
}

static inline uint64_t publish_except(struct hub *hub, const char *topic, const char *text,
                                      uint64_t except) {
  uint64_t seq = 0;
  struct message *m = message_of(topic, text, except, MESSAGE_TEXT);
  assert_int_equal(hub_publish(hub, NULL, m, &seq), HUB_OK);
  return seq;
}

static inline uint64_t publish(struct hub *hub, const char *topic, const char *text) {
  return publish_except(hub, topic, text, 0);
}

static inline uint64_t publish_key(struct hub *hub, const char *topic, const char *text,
                                   const char *key) {
  uint64_t seq = 0;
  struct message *m = message_new(&(struct message_fields){
      .payload = slice_str(text), .topic = slice_str(topic), .key = slice_str(key)});
  assert_int_equal(hub_publish(hub, NULL, m, &seq), HUB_OK);
  return seq;
}

// Publishes "1", "2", ... "count".
static inline void publish_numbers(struct hub *hub, const char *topic, unsigned first,
                                   unsigned last) {
  for (unsigned i = first; i <= last; i++) {
    char text[16];
    snprintf(text, sizeof text, "%u", i);
    publish(hub, topic, text);
  }
}

static inline void set_rule(struct hub *hub, struct hub_rule rule) { hub_rules_set(hub, &rule, 1); }

// All events as one line and forgets them: "a b !3 c" where !n is a gap of n.
static inline const char *told(struct reader *r) {
  static char line[4096];
  size_t used = 0;
  line[0] = '\0';
  for (size_t i = 0; i < r->event_count && used < sizeof line - 64; i++) {
    const struct event *e = &r->events[i];
    if (i > 0) line[used++] = ' ';
    used += (size_t)(e->is_gap ? sprintf(line + used, "!%llu", (unsigned long long)e->missed)
                               : sprintf(line + used, "%s", e->text));
  }
  r->event_count = 0;
  return line;
}

#endif
