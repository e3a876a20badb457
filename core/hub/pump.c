// The pump: brings one reader up to date from the logs. It serves whoever the
// shared batch does not fit: readers that replay, that were blocked, that
// follow several topics with news, or that are left out of a message. The logs
// of the topics it is behind in are merged by seq, so that a reader's last id
// is enough to resume all of its topics.
//
// It goes no further than the port's last drain (topic_port.end): a message
// beyond that might be overtaken by an older one of a topic not yet drained.
#include <stdlib.h>

#include "base/mem.h"
#include "hub/internal.h"

enum { PUMP_MAX = 64, PUMP_BYTES = 256 * 1024 };

struct pump_item {
  struct hub_sub *sub;
  uint64_t ordinal;
  bool is_offered;  // false: a message that leaves this reader out
};

// What one hold of the lock gathers.
struct pump_step {
  struct pump_item items[PUMP_MAX];
  size_t item_count;
  struct message *messages[PUMP_MAX];  // one reference each: those of the items that are offered
  size_t message_count;
  size_t bytes;
  bool is_last;  // nothing is left after it
};

// ---- the merge: a heap of the topics' next messages ----------------------

static void heap_sink(struct pump_scratch *s, size_t i) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child + 1 < s->heap_count && s->heap[child + 1].seq < s->heap[child].seq) child++;
    if (child >= s->heap_count || s->heap[i].seq < s->heap[child].seq) return;
    struct pump_head swap = s->heap[i];
    s->heap[i] = s->heap[child];
    s->heap[child] = swap;
    i = child;
  }
}

static void heap_build(struct pump_scratch *s) {
  for (size_t i = s->heap_count / 2; i > 0; i--) heap_sink(s, i - 1);
}

// Replaces the first head by the next message of the same topic, if any.
static void heap_step(struct pump_scratch *s) {
  struct pump_head *head = &s->heap[0];
  const struct topic_port *place = head->sub->place;
  if (++head->ordinal < place->end) {
    head->seq = topic_at(place->topic, head->ordinal)->seq;
  } else {
    *head = s->heap[--s->heap_count];
  }
  heap_sink(s, 0);
}

// ---- gathering, with the lock held ---------------------------------------

static void scratch_reserve(struct pump_scratch *s, size_t count) {
  if (count <= s->cap) return;
  s->cap = count < 16 ? 16 : count * 2;
  s->gaps = mem_realloc(s->gaps, s->cap * sizeof *s->gaps);
  s->heap = mem_realloc(s->heap, s->cap * sizeof *s->heap);
}

// A cursor that fell off the log goes on where its policy says.
static void note_gap(struct hub_port *port, struct hub_sub *sub) {
  struct topic *t = sub->place->topic;
  enum hub_lag policy = sub->lag;
  if (policy == HUB_LAG_DEFAULT) policy = hub_topic_rule(port->hub, t)->lag;
  uint64_t to = t->base, end = sub->place->end;
  if (policy == HUB_LAG_LATEST && end > t->base) to = end - 1;
  port->scratch.gaps[port->scratch.gap_count++] = (struct pump_gap){sub, to - sub->cursor, policy};
  sub->cursor = to;
}

static void gather_heads(struct hub_port *port, struct hub_reader *reader) {
  struct pump_scratch *s = &port->scratch;
  s->gap_count = s->heap_count = 0;
  scratch_reserve(s, reader->sub_count);
  for (struct hub_sub *sub = reader->behind; sub != NULL; sub = sub->behind_next) {
    const struct topic_port *place = sub->place;
    if (sub->cursor < place->topic->base) note_gap(port, sub);
    if (sub->cursor >= place->end) continue;
    uint64_t seq = topic_at(place->topic, sub->cursor)->seq;
    s->heap[s->heap_count++] = (struct pump_head){seq, sub->cursor, sub};
  }
  heap_build(s);
}

static void gather(struct hub_port *port, struct hub_reader *reader, struct pump_step *step) {
  step->item_count = step->message_count = step->bytes = 0;
  struct pump_scratch *s = &port->scratch;
  pthread_mutex_lock(&port->hub->lock);
  gather_heads(port, reader);
  while (s->heap_count > 0 && step->item_count < PUMP_MAX && step->bytes < PUMP_BYTES) {
    const struct pump_head *head = &s->heap[0];
    struct message *m = topic_at(head->sub->place->topic, head->ordinal);
    bool is_offered = m->except != reader->id || m->except == 0;
    step->items[step->item_count++] = (struct pump_item){head->sub, head->ordinal, is_offered};
    if (is_offered) step->messages[step->message_count++] = message_ref(m);
    if (is_offered) step->bytes += m->size;
    heap_step(s);
  }
  step->is_last = s->heap_count == 0;
  pthread_mutex_unlock(&port->hub->lock);
}

// ---- handing over, without the lock --------------------------------------

static void tell_gaps(struct hub_port *port, const struct hub_reader *reader) {
  for (size_t i = 0; i < port->scratch.gap_count && !reader->is_ended; i++) {
    const struct pump_gap *gap = &port->scratch.gaps[i];
    port_tell_gap(gap->sub, gap->missed, gap->policy);
  }
}

static size_t deliver(struct hub_port *port, struct hub_reader *reader,
                      const struct pump_step *step) {
  if (step->message_count == 0 || reader->is_blocked || reader->is_ended) return 0;
  struct hub_batch batch = {.messages = step->messages, .count = step->message_count};
  size_t taken = port->ops.deliver(reader, &batch);
  size_t empty = 0;
  for (size_t i = 0; i < taken; i++) {
    if (hub_form(port->hub, step->messages[i], reader->form).len == 0) empty++;
  }
  struct hub_counters *counters = &port->hub->counters;
  atomic_fetch_add_explicit(&counters->delivered, taken - empty, memory_order_relaxed);
  if (empty > 0) atomic_fetch_add_explicit(&counters->skipped, empty, memory_order_relaxed);
  return taken;
}

// Moves the cursors past the first `taken` offered messages, and past those
// around them that leave the reader out.
static void advance(const struct pump_step *step, size_t taken) {
  for (size_t i = 0; i < step->item_count; i++) {
    const struct pump_item *item = &step->items[i];
    if (item->is_offered && taken-- == 0) return;
    item->sub->cursor = item->ordinal + 1;
  }
}

static void clear_behind(struct hub_reader *reader) {
  while (reader->behind != NULL) {
    reader->behind->is_behind = false;
    reader->behind = reader->behind->behind_next;
  }
}

bool pump_reader(struct hub_port *port, struct hub_reader *reader) {
  struct pump_step step;
  while (reader->behind != NULL && !reader->is_blocked && !reader->is_ended) {
    gather(port, reader, &step);
    tell_gaps(port, reader);
    size_t taken = deliver(port, reader, &step);
    advance(&step, taken);
    for (size_t i = 0; i < step.message_count; i++) message_unref(step.messages[i]);
    if (taken < step.message_count) return reader->is_blocked || reader->is_ended;
    if (step.is_last) clear_behind(reader);
  }
  return true;
}
