// Delivering: takes what is new in a port's topics out of the logs, once per loop
// turn, and fans it out. A reader that follows along gets the batch that all share;
// one that is elsewhere in the log is left to the pump (pump.h).
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/pump.h"
#include "hub/reader.h"
#include "hub/topics.h"

// A shared batch is cut at this much payload, so that one turn after a pause
// does not build a buffer of any size.
enum { CHUNK_BYTES = 256 * 1024, KEEP_BYTES = 1024 * 1024, AHEAD = 4 };

// ---- taking a turn, with the lock held -----------------------------------

static void reserve(struct turn *turn, size_t message_count) {
  turn->topics =
      mem_grow(turn->topics, &turn->topic_cap, turn->topic_count + 1, 16, sizeof *turn->topics);
  turn->messages = mem_grow(turn->messages, &turn->message_cap, turn->message_count + message_count,
                            64, sizeof *turn->messages);
}

static void take_topic(struct hub_port *port, struct topic_port *place) {
  struct turn *turn = &port->turn;
  struct topic *t = place->topic;
  // A log that had to drop what this port had not delivered begins later.
  uint64_t start = place->end > t->base ? place->end : t->base;
  size_t count = (size_t)(t->head - start);
  reserve(turn, count);
  enum hub_lag lag = topics_rule(port->hub, t)->lag;
  turn->topics[turn->topic_count++] = (struct turn_topic){
      place, turn->message_count, count, start, t->base, start > place->end, lag};
  for (uint64_t i = start; i < t->head; i++) {
    turn->messages[turn->message_count++] = message_ref(topic_at(t, i));
  }
  if (count > 0) turn->live_count++;
  place->start = place->end;
  place->end = t->head;
  place->is_held = false;
}

static void take_turn(struct hub_port *port) {
  pthread_mutex_lock(&port->hub->lock);
  atomic_store_explicit(&port->is_signalled, false, memory_order_relaxed);
  struct list *node;
  while ((node = list_pop(&port->dirty)) != NULL) {
    take_topic(port, list_entry(node, struct topic_port, dirty_link));
  }
  pthread_mutex_unlock(&port->hub->lock);
}

// Only now may retention have what was taken: the pump read it from the logs.
static void finish_turn(struct hub_port *port) {
  struct turn *turn = &port->turn;
  uint64_t now_ms = clock_mono_ms();
  pthread_mutex_lock(&port->hub->lock);
  for (size_t i = 0; i < turn->topic_count; i++) {
    struct topic_port *place = turn->topics[i].place;
    place->start = place->end;
    if (!place->is_held) place->pos = place->topic->is_tap ? place->subs[0]->cursor : place->end;
    while (topics_trim(port->hub, place->topic, now_ms).has_more) {
      pthread_mutex_unlock(&port->hub->lock);
      pthread_mutex_lock(&port->hub->lock);
    }
  }
  pthread_mutex_unlock(&port->hub->lock);
  for (size_t i = 0; i < turn->message_count; i++) message_unref(turn->messages[i]);
  turn->message_count = turn->topic_count = turn->live_count = 0;
  if (turn->message_cap * sizeof *turn->messages > KEEP_BYTES) {
    free(turn->messages);
    turn->messages = NULL;
    turn->message_cap = 0;
  }
  batch_shrink(&port->batches);
}

// ---- fan-out, without the lock -------------------------------------------

struct chunk {
  const struct turn_topic *topic;
  struct message *const *messages;
  uint64_t start;  // ordinal of the first
  size_t count;
  uint32_t unkeyed;  // topic_unkeyed_after the last
  bool has_except;
  bool is_only;  // no other topic has news in this turn
};

static struct chunk cut_chunk(const struct turn *turn, const struct turn_topic *topic,
                              size_t from) {
  struct chunk chunk = {.topic = topic, .start = topic->start + from};
  chunk.messages = turn->messages + topic->first + from;
  size_t left = topic->count - from, bytes = 0;
  while (chunk.count < left && bytes < CHUNK_BYTES) {
    const struct message *m = chunk.messages[chunk.count++];
    bytes += m->size;
    chunk.has_except |= m->except != 0;
  }
  chunk.unkeyed = topic_unkeyed_after(topic->place->topic, chunk.messages[chunk.count - 1]);
  chunk.is_only = turn->live_count == 1;
  return chunk;
}

static bool is_left_out(const struct chunk *chunk, uint64_t reader_id) {
  if (!chunk->has_except) return false;
  for (size_t i = 0; i < chunk->count; i++) {
    if (chunk->messages[i]->except == reader_id) return true;
  }
  return false;
}

// Whether the reader can be given the shared batch as it is. When several
// topics have news, one that follows more than one of them needs them merged.
static bool follows(const struct chunk *chunk, const struct hub_sub *sub) {
  const struct hub_reader *reader = sub->reader;
  return sub->cursor == chunk->start && reader->form != HUB_FORM_NONE && !reader->is_blocked &&
         reader->behind == NULL && (chunk->is_only || reader->sub_count == 1) &&
         !is_left_out(chunk, reader->id);
}

static uint64_t count_lost(struct hub_port *port, const struct hub_sub *sub) {
  pthread_mutex_lock(&port->hub->lock);
  uint64_t lost = topic_lost_since(sub->place->topic, sub->cursor, sub->unkeyed);
  pthread_mutex_unlock(&port->hub->lock);
  return lost;
}

// A blocked reader need not be writable to be told that it has lagged to its end.
static void defer(struct hub_port *port, struct hub_sub *sub, const struct turn_topic *topic) {
  enum hub_lag lag = sub->lag != HUB_LAG_DEFAULT ? (enum hub_lag)sub->lag : topic->lag;
  bool may_end = sub->reader->is_blocked && lag == HUB_LAG_CLOSE && sub->cursor < topic->base;
  uint64_t lost = may_end ? count_lost(port, sub) : 0;
  if (lost > 0) {
    reader_tell_gap(sub, lost, lag);
  } else {
    reader_defer(sub);
  }
}

// The next readers' memory is on its way while this one's is worked on: with
// the reader, what the session that embeds it has behind it.
static void prefetch(const struct topic_port *place, uint32_t i) {
  if (i + AHEAD < place->sub_count) __builtin_prefetch(place->subs[i + AHEAD]);
  if (i + AHEAD / 2 >= place->sub_count) return;
  const struct hub_reader *reader = place->subs[i + AHEAD / 2]->reader;
  __builtin_prefetch(&reader->behind);
  __builtin_prefetch(reader + 1);
}

// The reader took only the first of them: the pump brings the rest.
static void advance_in_part(const struct chunk *chunk, struct hub_sub *sub, size_t taken) {
  if (taken > 0) {
    const struct message *last = chunk->messages[taken - 1];
    uint32_t unkeyed = topic_unkeyed_after(chunk->topic->place->topic, last);
    cursor_advance(sub, sub->cursor + taken, unkeyed);
  }
  reader_defer(sub);
}

static void fan_out_chunk(struct hub_port *port, const struct chunk *chunk) {
  struct hub_counters *counters = &port->hub->counters;
  const struct topic_port *place = chunk->topic->place;
  uint64_t delivered = 0, skipped = 0, end = chunk->start + chunk->count;
  batch_start(&port->batches, chunk->messages, chunk->count);
  for (uint32_t i = 0; i < place->sub_count; i++) {
    prefetch(place, i);
    struct hub_sub *sub = place->subs[i];
    struct hub_reader *reader = sub->reader;
    if (reader->is_ended || sub->cursor >= end) continue;
    if (!follows(chunk, sub)) {
      defer(port, sub, chunk->topic);
      continue;
    }
    const struct batch_form *form = batch_get(&port->batches, reader->form);
    size_t taken = port->ops.deliver(reader, &form->batch);
    size_t empty = batch_count_empty(form, taken);
    delivered += taken - empty;
    skipped += empty;
    if (taken == chunk->count)
      cursor_advance(sub, end, chunk->unkeyed);
    else
      advance_in_part(chunk, sub, taken);
  }
  metric_count(&counters->delivered, delivered);
  metric_count(&counters->skipped, skipped);
}

// All that was to come is gone: its readers are told now, not with the next message.
static void fan_out_nothing(struct hub_port *port, const struct turn_topic *topic) {
  const struct topic_port *place = topic->place;
  for (uint32_t i = 0; i < place->sub_count; i++) {
    struct hub_sub *sub = place->subs[i];
    if (!sub->reader->is_ended && sub->cursor < topic->start) defer(port, sub, topic);
  }
}

static void fan_out(struct hub_port *port, const struct turn_topic *topic) {
  if (topic->count == 0 && topic->has_hole) fan_out_nothing(port, topic);
  for (size_t done = 0; done < topic->count;) {
    struct chunk chunk = cut_chunk(&port->turn, topic, done);
    fan_out_chunk(port, &chunk);
    done += chunk.count;
  }
}

static void pump_all(struct hub_port *port) {
  struct list again, *node;
  list_init(&again);
  while ((node = list_pop(&port->pump)) != NULL) {
    struct hub_reader *reader = list_entry(node, struct hub_reader, pump_link);
    if (!pump_reader(port, reader)) list_append(&again, &reader->pump_link);
  }
  list_splice(&port->pump, &again);
}

void hub_deliver(struct hub_port *port) {
  if (!hub_port_has_work(port)) return;
  port->is_delivering = true;
  port->pumped_bytes = 0;
  if (port_is_signalled(port)) take_turn(port);
  for (size_t i = 0; i < port->turn.topic_count; i++) fan_out(port, &port->turn.topics[i]);
  pump_all(port);
  if (port->turn.topic_count > 0) finish_turn(port);
  port->is_delivering = false;
}
