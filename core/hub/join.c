// Joining and leaving: where a new cursor is set, and what that promises.
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/id.h"
#include "hub/presence.h"
#include "hub/reader.h"
#include "hub/tap.h"
#include "hub/topics.h"

// ---- subscriptions, with the lock held -----------------------------------

// A session may follow many topics, and a topic have many sessions:
// the shorter list is searched.
static struct hub_sub *sub_find(const struct hub_reader *reader, const struct topic_port *place) {
  if (place == NULL) return NULL;
  if (place->sub_count < reader->sub_count) {
    for (uint32_t i = 0; i < place->sub_count; i++) {
      if (place->subs[i]->reader == reader) return place->subs[i];
    }
    return NULL;
  }
  struct hub_sub *sub = reader->subs;
  for (uint32_t i = 0; i < reader->sub_count; i++, sub = sub->next) {
    if (sub->place == place) return sub;
  }
  return NULL;
}

static void link_to_reader(struct hub_sub *sub, struct hub_reader *reader) {
  if (reader->subs == NULL) {
    reader->subs = sub->next = sub->prev = sub;
  } else {
    sub->next = reader->subs;
    sub->prev = reader->subs->prev;
    sub->prev->next = sub->next->prev = sub;
  }
  reader->sub_count++;
}

static void unlink_from_reader(struct hub_sub *sub) {
  struct hub_reader *reader = sub->reader;
  for (struct hub_sub **at = &reader->behind; sub->is_behind; at = &(*at)->behind_next) {
    if (*at != sub) continue;
    *at = sub->behind_next;
    sub->is_behind = false;
    break;
  }
  sub->prev->next = sub->next;
  sub->next->prev = sub->prev;
  if (reader->subs == sub) reader->subs = sub->next != sub ? sub->next : NULL;
  reader->sub_count--;
}

static struct hub_sub *sub_add(struct hub_reader *reader, struct topic *t) {
  struct topic_port *place = topic_port_find(t, reader->port);
  if (place == NULL) place = topic_port_add(t, reader->port);
  size_t cap = place->sub_cap;
  place->subs = mem_grow(place->subs, &cap, (size_t)place->sub_count + 1, 1, sizeof *place->subs);
  place->sub_cap = (uint32_t)cap & INT32_MAX;
  struct hub_sub *sub = mem_zalloc(sizeof *sub);
  sub->reader = reader;
  sub->place = place;
  cursor_set(sub, t->head);
  sub->index = place->sub_count & ((1 << HUB_SUB_INDEX_BITS) - 1);
  place->subs[place->sub_count++] = sub;
  t->sub_count++;
  reader->port->sub_count++;
  link_to_reader(sub, reader);
  return sub;
}

static void sub_drop(struct hub *hub, struct hub_sub *sub) {
  struct topic_port *place = sub->place;
  struct topic *t = place->topic;
  if (sub->is_member) presence_leave(hub, sub);
  sub->reader->port->sub_count--;
  unlink_from_reader(sub);
  place->subs[sub->index] = place->subs[--place->sub_count];
  place->subs[sub->index]->index = sub->index;
  if (place->sub_count == 0) topic_port_remove(place);
  t->sub_count--;
  free(sub);
  topics_settle(hub, t, clock_mono_ms());
}

// ---- where a cursor starts -----------------------------------------------

static uint64_t start_of(const struct hub *hub, const struct topic *t,
                         const struct hub_join_options *options, struct hub_join_result *result) {
  switch (options->since) {
    case HUB_SINCE_FIRST:
      return topic_first(t);
    case HUB_SINCE_LAST:
      return topic_last(t);
    case HUB_SINCE_ID:
      return id_start_after(hub, t, options->id, result);
    case HUB_SINCE_NOW:
      break;
  }
  return t->head;
}

// Whether joining again does. Where nothing is kept to begin at, a reader that
// has not got all yet must not lose that.
static bool moves_cursor(const struct topic *t, enum hub_since since) {
  return since == HUB_SINCE_ID || (since != HUB_SINCE_NOW && t->rule->history > 0);
}

static void set_cursor(struct hub_sub *sub, uint64_t cursor) {
  struct topic_port *place = sub->place;
  cursor_set(sub, cursor);
  if (cursor >= place->topic->head) return;
  port_hold(place, cursor);  // it was promised to come
  reader_defer(sub);
}

// ---- the calls -----------------------------------------------------------

// HUB_OK, or which cap it is that a new subscription would go beyond.
static enum hub_status check_caps(const struct hub *hub, const struct topic *t,
                                  const struct hub_reader *reader) {
  if (t->rule->limit > 0 && t->sub_count >= t->rule->limit) return HUB_LIMIT;
  if (reader->sub_count >= hub->limits.max_topics) return HUB_LIMIT_TOPICS;
  if (reader->port->sub_count >= hub->limits.max_subscriptions) return HUB_LIMIT_SUBSCRIPTIONS;
  return HUB_OK;
}

static bool is_cap(enum hub_status status) {
  return status == HUB_LIMIT || status == HUB_LIMIT_TOPICS || status == HUB_LIMIT_SUBSCRIPTIONS ||
         status == HUB_LIMIT_MEMBERS;
}

// The newest seq before everything that is yet to come to the reader. A client that
// has come back stays at the id it came with, if nothing is older.
static uint64_t seq_before_all(const struct hub *hub, const struct hub_reader *reader,
                               const struct hub_join_options *options, bool is_recovered) {
  uint64_t seq = hub->seq, found;
  if (is_recovered) hub_id_parse(hub, options->id, &seq);
  const struct hub_sub *sub = reader->subs;
  for (uint32_t i = 0; i < reader->sub_count; i++, sub = sub->next) {
    const struct message *next = topic_next(sub->place->topic, sub->cursor, &found);
    if (next != NULL && next->seq <= seq) seq = next->seq - 1;
  }
  return seq;
}

static enum hub_status join_locked(struct hub_reader *reader, struct topic *t,
                                   const struct hub_join_options *options,
                                   struct hub_join_result *result) {
  struct hub *hub = reader->port->hub;
  struct hub_sub *sub = sub_find(reader, topic_port_find(t, reader->port));
  bool is_new = sub == NULL;
  enum hub_status status = HUB_OK;
  if (options->as.ptr != NULL) status = presence_check(hub, t, sub, options->as, options->info);
  if (status == HUB_OK && is_new) status = check_caps(hub, t, reader);
  if (status != HUB_OK) return status;
  if (is_new) sub = sub_add(reader, t);
  if (options->lag != HUB_LAG_DEFAULT) sub->lag = options->lag;
  uint64_t cursor = start_of(hub, t, options, result);
  if (is_new || moves_cursor(t, options->since)) set_cursor(sub, cursor);
  if (options->as.ptr != NULL) presence_join(hub, sub, options->as, options->info);
  topics_note_used(hub, t);
  result->seq = seq_before_all(hub, reader, options, result->recovered);
  return HUB_OK;
}

enum hub_status hub_join(struct hub_reader *reader, struct slice topic,
                         const struct hub_join_options *options, struct hub_join_result *result) {
  struct hub_join_result ignored;
  if (result == NULL) result = &ignored;
  *result = (struct hub_join_result){.missed_known = true};
  enum hub_status status = topic_name_check(topic);
  if (status != HUB_OK) return status;
  struct hub *hub = reader->port->hub;
  pthread_mutex_lock(&hub->lock);
  uint64_t now_ms = clock_mono_ms();
  struct topic *t = topics_find_trimmed(hub, topic, now_ms);  // nothing past its ttl is replayed
  if (t == NULL) t = topics_create(hub, topic);
  topics_rule(hub, t);
  status = join_locked(reader, t, options, result);
  if (status != HUB_OK) topics_settle(hub, t, now_ms);
  pthread_mutex_unlock(&hub->lock);
  if (is_cap(status)) metric_count(&hub->counters.joins_refused, 1);
  return status;
}

enum hub_status hub_join_pattern(struct hub_reader *reader, struct slice pattern) {
  struct hub *hub = reader->port->hub;
  if (!topic_text_is_valid(pattern)) return HUB_BAD_TOPIC;
  pthread_mutex_lock(&hub->lock);
  struct topic *tap = tap_add(hub, pattern);
  if (tap != NULL) {
    topics_look_up(hub, tap);
    sub_add(reader, tap);
  }
  pthread_mutex_unlock(&hub->lock);
  if (tap == NULL) metric_count(&hub->counters.joins_refused, 1);
  return tap != NULL ? HUB_OK : HUB_LIMIT;
}

enum hub_status hub_leave(struct hub_reader *reader, struct slice topic) {
  struct hub *hub = reader->port->hub;
  pthread_mutex_lock(&hub->lock);
  struct topic *t = topics_find(hub, topic);
  struct hub_sub *sub = t != NULL ? sub_find(reader, topic_port_find(t, reader->port)) : NULL;
  if (sub != NULL) sub_drop(hub, sub);
  pthread_mutex_unlock(&hub->lock);
  return sub != NULL ? HUB_OK : HUB_NOT_JOINED;
}

void hub_reader_close(struct hub_reader *reader) {
  struct hub *hub = reader->port->hub;
  // One hold of the lock a topic: a reader of thousands must not stop the others.
  while (reader->subs != NULL) {
    pthread_mutex_lock(&hub->lock);
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): takes it out of the reader's list first
    sub_drop(hub, reader->subs);
    pthread_mutex_unlock(&hub->lock);
  }
  list_remove(&reader->pump_link);
}
