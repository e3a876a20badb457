// The pump: see pump.h.
#include "hub/pump.h"

#include "base/mem.h"
#include "hub/reader.h"
#include "hub/topics.h"

enum {
  PUMP_MAX = 64,
  PUMP_BYTES = 256 * 1024,
  TURN_BYTES = 1024 * 1024,  // of one delivery, after which those that replay wait for the next
  SKIP_MAX = 1024,           // superseded messages passed over in one hold of the lock
};

struct pump_item {
  struct hub_sub *sub;
  uint64_t cursor;   // behind it, and behind the superseded messages that follow
  uint32_t unkeyed;  // topic_unkeyed_before the cursor
  uint32_t skipped;  // superseded messages that follow
  bool is_offered;   // false: a message that leaves this reader out
};

// What one hold of the lock gathers.
struct pump_step {
  struct pump_item items[PUMP_MAX];
  size_t item_count;
  struct message *messages[PUMP_MAX];  // one reference each: those of the items that are offered
  size_t message_count;
  size_t bytes;
  size_t skipped;  // superseded messages passed over
  bool is_last;    // nothing is left after it
};

// ---- the merge: a heap of the topics' next messages ----------------------

static void heap_sink(struct pump_scratch *s, size_t i) {
  for (;;) {
    struct pump_head *heap = s->heap;
    size_t child = 2 * i + 1;
    if (child + 1 < s->heap_count && heap[child + 1].message->seq < heap[child].message->seq)
      child++;
    if (child >= s->heap_count || heap[i].message->seq < heap[child].message->seq) return;
    struct pump_head swap = heap[i];
    heap[i] = heap[child];
    heap[child] = swap;
    i = child;
  }
}

static void heap_build(struct pump_scratch *s) {
  for (size_t i = s->heap_count / 2; i > 0; i--) heap_sink(s, i - 1);
}

enum found { FOUND, FOUND_END, FOUND_TOO_FAR };

// Sets head to the first message from `ordinal` on that its reader is to get.
// FOUND_TOO_FAR: there were too many to pass over for one hold of the lock;
// head->ordinal is where to go on.
static enum found head_find(struct pump_head *head, uint64_t ordinal, struct pump_step *step) {
  const struct topic_port *place = head->sub->place;
  const struct topic *t = place->topic;
  for (;; ordinal = head->ordinal + 1) {
    head->message = topic_next(t, ordinal, &head->ordinal);
    if (head->message == NULL || head->ordinal >= place->end) return FOUND_END;
    uint64_t newer = head->message->newer;
    bool is_superseded = head->conflates && newer != 0 && newer < place->end;
    if (!is_superseded) return FOUND;
    if (step->skipped == SKIP_MAX) return FOUND_TOO_FAR;
    step->skipped++;
    head->skipped++;
  }
}

// ---- gathering, with the lock held ---------------------------------------

static void scratch_reserve(struct pump_scratch *s, size_t count) {
  size_t cap = s->cap;
  s->gaps = mem_grow(s->gaps, &cap, count, 16, sizeof *s->gaps);
  s->heap = mem_grow(s->heap, &s->cap, count, 16, sizeof *s->heap);
}

// The messages that a jump of the cursor to `to` leaves out, and that none
// that comes supersedes. Without keys that is plain arithmetic.
static uint64_t count_jumped(const struct hub_sub *sub, uint64_t to) {
  const struct topic *t = sub->place->topic;
  if (t->keys == NULL) return to - sub->cursor;
  uint64_t count = topic_lost_since(t, sub->cursor, sub->unkeyed), at = sub->cursor;
  const struct message *m;
  for (uint64_t found; (m = topic_next(t, at, &found)) != NULL && found < to; at = found + 1) {
    if (m->newer == 0 || m->newer > to) count++;
  }
  return count;
}

// A cursor that fell off the log goes on where its policy says. What was only
// superseded is not missed.
static void note_gap(struct hub_port *port, struct hub_sub *sub) {
  struct topic *t = sub->place->topic;
  uint64_t missed = topic_lost_since(t, sub->cursor, sub->unkeyed), end = sub->place->end;
  if (missed == 0) return;
  enum hub_lag policy = (enum hub_lag)sub->lag;
  if (policy == HUB_LAG_DEFAULT) policy = topics_rule(port->hub, t)->lag;
  uint64_t to;
  topic_next(t, sub->cursor, &to);
  if (policy == HUB_LAG_LATEST && end > t->base) {
    to = end - 1;
    missed = count_jumped(sub, to);
  }
  port->scratch.gaps[port->scratch.gap_count++] = (struct pump_gap){sub, missed, policy};
  cursor_set(sub, to);
}

static void count_conflated(struct hub_port *port, uint64_t count) {
  if (count == 0) return;
  metric_count(&port->hub->counters.conflated, count);
}

// Finds where the reader goes on in each of its logs. False when too much had
// to be passed over: the search goes on in the next hold of the lock.
static bool gather_heads(struct hub_port *port, struct hub_reader *reader, struct pump_step *step) {
  struct pump_scratch *s = &port->scratch;
  s->gap_count = s->heap_count = 0;
  scratch_reserve(s, reader->sub_count);
  bool is_complete = true;
  for (struct hub_sub *sub = reader->behind; sub != NULL; sub = sub->behind_next) {
    const struct topic_port *place = sub->place;
    struct pump_head head = {.sub = sub};
    head.conflates = sub->cursor < place->start && !place->topic->is_tap;
    if (sub->cursor < place->topic->base) note_gap(port, sub);
    enum found found = head_find(&head, sub->cursor, step);
    if (found == FOUND_TOO_FAR) is_complete = false;
    if (found == FOUND_END) continue;
    // What was passed over stays so: many topics get on, a step at a time.
    cursor_advance(sub, head.ordinal, topic_unkeyed_before(place->topic, head.ordinal));
    count_conflated(port, head.skipped);
    head.skipped = 0;
    if (found == FOUND) s->heap[s->heap_count++] = head;
  }
  return is_complete;
}

// Puts the first head's message into the step. False when the next one of its
// log could not be found. What is passed over on the way to that goes with the
// message: in a later step the reader may not count as behind any more, and
// would get it after newer messages of other topics.
static bool take_head(struct pump_scratch *s, const struct hub_reader *reader,
                      struct pump_step *step) {
  struct pump_head *head = &s->heap[0];
  struct message *m = head->message;
  bool is_offered = m->except != reader->id || m->except == 0;
  const struct topic *t = head->sub->place->topic;
  struct pump_item *item = &step->items[step->item_count++];
  *item =
      (struct pump_item){head->sub, head->ordinal + 1, topic_unkeyed_after(t, m), 0, is_offered};
  if (is_offered) step->messages[step->message_count++] = message_ref(m);
  if (is_offered) step->bytes += m->size;
  enum found found = head_find(head, head->ordinal + 1, step);
  if (head->skipped > 0 && found != FOUND_END) {
    item->cursor = head->ordinal;
    item->skipped = head->skipped;
    head->skipped = 0;
  }
  if (found == FOUND_END) *head = s->heap[--s->heap_count];
  if (found != FOUND_TOO_FAR) heap_sink(s, 0);
  return found != FOUND_TOO_FAR;
}

// A reader that is told a gap may stop there. What it is to get then must be there
// still when it goes on, or it would be told of one gap after another. True when the
// port's thread must be woken.
static bool hold_rest(const struct hub_reader *reader) {
  bool wakes = false;
  for (struct hub_sub *sub = reader->behind; sub != NULL; sub = sub->behind_next) {
    if (!sub->place->topic->is_tap) wakes |= port_hold(sub->place, sub->cursor);
  }
  return wakes;
}

static void gather(struct hub_port *port, struct hub_reader *reader, struct pump_step *step) {
  step->item_count = step->message_count = step->bytes = step->skipped = 0;
  struct pump_scratch *s = &port->scratch;
  pthread_mutex_lock(&port->hub->lock);
  bool goes_on = gather_heads(port, reader, step);
  step->is_last = goes_on;
  bool wakes = s->gap_count > 0 && hold_rest(reader);
  heap_build(s);
  while (goes_on && s->heap_count > 0 && step->item_count < PUMP_MAX && step->bytes < PUMP_BYTES)
    goes_on = take_head(s, reader, step);
  if (s->heap_count > 0) step->is_last = false;
  pthread_mutex_unlock(&port->hub->lock);
  if (wakes) port->ops.wake(port->ctx);
}

// ---- handing over, without the lock --------------------------------------

static void report_gaps(struct hub_port *port, const struct hub_reader *reader) {
  for (size_t i = 0; i < port->scratch.gap_count && !reader->is_ended; i++) {
    const struct pump_gap *gap = &port->scratch.gaps[i];
    reader_tell_gap(gap->sub, gap->missed, gap->policy);
  }
}

static size_t deliver(struct hub_port *port, struct hub_reader *reader,
                      const struct pump_step *step) {
  if (step->message_count == 0 || reader->is_blocked || reader->is_ended) return 0;
  struct hub_batch batch = {.messages = step->messages, .count = step->message_count};
  size_t taken = port->ops.deliver(reader, &batch);
  size_t empty = 0;
  for (size_t i = 0; i < taken && reader->form != HUB_FORM_NONE; i++) {
    if (batch_encode(&port->batches, step->messages[i], reader->form).len == 0) empty++;
  }
  struct hub_counters *counters = &port->hub->counters;
  metric_count(&counters->delivered, taken - empty);
  if (empty > 0) metric_count(&counters->skipped, empty);
  return taken;
}

// Moves the cursors past the first `taken` offered messages, and past those
// around them that leave the reader out.
static void advance(struct hub_port *port, const struct pump_step *step, size_t taken) {
  uint64_t skipped = 0;
  for (size_t i = 0; i < step->item_count; i++) {
    const struct pump_item *item = &step->items[i];
    if (item->is_offered && taken-- == 0) break;
    skipped += item->skipped;
    cursor_advance(item->sub, item->cursor, item->unkeyed);
  }
  count_conflated(port, skipped);
}

// The reader has all there is. A log that ended in messages that are gone left
// its cursor short of the end, where it would be taken for one that is behind.
static void clear_behind(struct hub_reader *reader) {
  for (struct hub_sub *sub; (sub = reader->behind) != NULL; reader->behind = sub->behind_next) {
    if (sub->cursor < sub->place->end) sub->cursor = sub->place->end;
    sub->is_behind = false;
  }
}

// It goes through what came before this delivery, and so may go on later.
static bool is_replaying(const struct hub_reader *reader) {
  for (const struct hub_sub *sub = reader->behind; sub != NULL; sub = sub->behind_next) {
    if (sub->cursor < sub->place->start && !sub->place->topic->is_tap) return true;
  }
  return false;
}

// It is not the reader that is slow: what it is to get must be there still.
static void keep_rest(struct hub_port *port, const struct hub_reader *reader) {
  pthread_mutex_lock(&port->hub->lock);
  bool wakes = hold_rest(reader);
  pthread_mutex_unlock(&port->hub->lock);
  if (wakes) port->ops.wake(port->ctx);
}

bool pump_reader(struct hub_port *port, struct hub_reader *reader) {
  struct pump_step step;
  while (reader->behind != NULL && !reader->is_blocked && !reader->is_ended) {
    if (port->pumped_bytes >= TURN_BYTES && is_replaying(reader)) {
      keep_rest(port, reader);
      return false;
    }
    gather(port, reader, &step);
    report_gaps(port, reader);
    size_t taken = deliver(port, reader, &step);
    advance(port, &step, taken);
    for (size_t i = 0; i < step.message_count; i++) message_unref(step.messages[i]);
    if (taken > 0) port->pumped_bytes += step.bytes;
    if (taken < step.message_count) return reader->is_blocked || reader->is_ended;
    if (step.is_last) clear_behind(reader);
  }
  return true;
}
