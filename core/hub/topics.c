// The topics of a hub: see topics.h.
#include "hub/topics.h"

#include "hub/tap.h"

enum { EVICT_STEP = 256 };  // messages driven out in one hold of the lock

static uint64_t *vanished_place(struct hub *hub, struct slice name) {
  uint64_t h = 0xCBF29CE484222325u;  // FNV-1a; a collision costs one needless gap notice
  for (size_t i = 0; i < name.len; i++) h = (h ^ (unsigned char)name.ptr[i]) * 0x100000001B3u;
  return &hub->vanished[(h ^ (h >> 32)) & (HUB_VANISHED - 1)];
}

void topics_note_vanished(struct hub *hub, struct slice name, uint64_t seq) {
  uint64_t *place = vanished_place(hub, name);
  if (seq > *place) *place = seq;
}

static void count_topics(struct hub *hub) {
  metric_set(&hub->counters.topics, (long long)hub->topics.count);
}

static void note_moves(struct hub *hub, size_t places_before) {
  bool has_moved = map_is_moving(&hub->topics) || map_places(&hub->topics) != places_before;
  if (has_moved) hub->topics_version++;
}

struct topic *topics_create(struct hub *hub, struct slice name) {
  struct topic *t = topic_new(name, *vanished_place(hub, name));
  size_t places = map_places(&hub->topics);
  map_set(&hub->topics, topic_name(t), t);
  count_topics(hub);
  note_moves(hub, places);
  return t;
}

static void remove_topic(struct hub *hub, struct topic *t) {
  topics_note_vanished(hub, topic_name(t), t->lost_seq);
  size_t places = map_places(&hub->topics);
  map_remove(&hub->topics, topic_name(t));
  count_topics(hub);
  note_moves(hub, places);
  topic_free(t);
}

void topics_look_up(struct hub *hub, struct topic *t) {
  t->rule = t->is_tap ? tap_rule() : rules_find(hub->rules, topic_name(t));
  t->tap_mask = t->is_tap ? 0 : tap_mask_of(hub, topic_name(t));
  t->rules_version = hub->rules_version;
}

struct topic *topics_for(struct hub *hub, struct slice name) {
  struct topic *t = topics_find(hub, name);
  if (t == NULL && topics_rule_of(hub, t, name)->history > 0) t = topics_create(hub, name);
  if (t != NULL) topics_rule(hub, t);
  return t;
}

void topics_note_used(struct hub *hub, struct topic *t) {
  if (t->is_tap || topic_is_empty(t) || hub->used.prev == &t->used_link) return;
  if (list_is_empty(&t->used_link)) hub->kept_bytes += HUB_TOPIC_COST;
  list_remove(&t->used_link);
  list_append(&hub->used, &t->used_link);
}

static void note_empty(struct hub *hub, struct topic *t) {
  if (list_is_empty(&t->used_link) || !topic_is_empty(t)) return;
  list_remove(&t->used_link);
  hub->kept_bytes -= HUB_TOPIC_COST;
}

struct topic_loss topics_trim(struct hub *hub, struct topic *t, uint64_t now_ms) {
  topics_rule(hub, t);
  struct topic_loss loss = topic_trim(t, now_ms);
  topics_account(hub, t, &loss);
  if (loss.count > 0) note_empty(hub, t);
  return loss;
}

struct topic *topics_find_trimmed(struct hub *hub, struct slice name, uint64_t now_ms) {
  struct topic *t;
  while ((t = topics_find(hub, name)) != NULL && topics_trim(hub, t, now_ms).has_more) {
    pthread_mutex_unlock(&hub->lock);
    pthread_mutex_lock(&hub->lock);
  }
  return t;
}

// Whether it was freed.
static bool remove_if_idle(struct hub *hub, struct topic *t) {
  if (!topic_is_idle(t)) return false;
  remove_topic(hub, t);
  return true;
}

bool topics_settle(struct hub *hub, struct topic *t, uint64_t now_ms) {
  if (t->is_tap && t->sub_count == 0) {
    tap_remove(hub, t);
    return true;
  }
  topics_trim(hub, t, now_ms);
  return remove_if_idle(hub, t);
}

// A step only, since a replay that encodes may have added much at once.
bool topics_evict(struct hub *hub) {
  for (int i = 0; !topics_are_within_limit(hub) && !list_is_empty(&hub->used); i++) {
    if (i == EVICT_STEP) return false;
    struct topic *t = list_entry(hub->used.next, struct topic, used_link);
    struct topic_loss loss = topic_drop_oldest(t);
    topics_account(hub, t, &loss);
    metric_count(&hub->counters.evicted_memory, loss.count);
    note_empty(hub, t);
    if (topic_is_idle(t)) remove_topic(hub, t);
  }
  return true;
}

bool topics_move_step(struct hub *hub) {
  if (!map_is_moving(&hub->topics)) return false;
  map_move(&hub->topics, HUB_MOVE_STEP);
  hub->topics_version++;
  return true;
}

// A topic that goes may draw its neighbour into its slot, which is then looked at again;
// others may slip by until the next round.
size_t topics_sweep_step(struct hub *hub, uint64_t now_ms) {
  enum { MOVE_SHARE = 16 };  // of what it takes to look at a topic
  struct map *topics = &hub->topics;
  uint64_t dropped = 0;
  size_t places = 0;
  if (topics_move_step(hub)) return HUB_MOVE_STEP / MOVE_SHARE;
  for (; places < HUB_SWEEP_STEP && topics->cap > 0 && dropped < TOPIC_TRIM_STEP; places++) {
    hub->sweep_at &= topics->cap - 1;  // where the rest is, too, if the map has shrunk
    struct topic *t = map_at(topics, hub->sweep_at);
    struct topic_loss loss = {0};
    if (t != NULL) loss = topics_trim(hub, t, now_ms);
    dropped += loss.count;
    if (loss.has_more) break;
    if (t == NULL || !remove_if_idle(hub, t)) hub->sweep_at++;
  }
  return topics->cap > 0 ? places : HUB_SWEEP_STEP;
}

void topics_free_doomed(struct list *doomed) {
  while (!list_is_empty(doomed)) topic_free(list_entry(doomed->next, struct topic, used_link));
}

uint64_t topics_footprint(const struct hub *hub) {
  return topics_held_bytes(hub) + hub->topics.count * HUB_TOPIC_COST;
}
