// The hub itself: its life, its topics by name, and publishing.
#include "hub/hub.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hub/internal.h"
#include "hub/presence.h"

enum { EVICT_STEP = 256 };  // messages driven out in one hold of the lock

// ---- life ----------------------------------------------------------------

static void draw_epoch(char epoch[HUB_EPOCH_LEN + 1]) {
  static const char letters[32] = "0123456789abcdefghjkmnpqrstvwxyz";
  unsigned char bytes[HUB_EPOCH_LEN];
  rand_bytes(bytes, sizeof bytes);
  for (int i = 0; i < HUB_EPOCH_LEN; i++) epoch[i] = letters[bytes[i] % 32];
  epoch[HUB_EPOCH_LEN] = '\0';
}

// The lock is held so briefly that whoever finds it taken does better to spin a
// little than to sleep: sleeping and waking cost more than what it waits for.
static void init_lock(pthread_mutex_t *lock) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
  pthread_mutex_init(lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

struct hub *hub_new(message_encode_fn *const *encoders, unsigned form_count) {
  struct hub *hub = mem_zalloc(sizeof *hub);
  init_lock(&hub->lock);
  map_init(&hub->topics);
  list_init(&hub->used);
  list_init(&hub->presences);
  list_init(&hub->leaving);
  hub->rules = rules_new(NULL, 0);
  hub->rules_version = 1;
  hub->limits = (struct hub_limits){HUB_MAX_BYTES, HUB_MAX_TOPICS, HUB_MAX_SUBSCRIPTIONS};
  draw_epoch(hub->epoch);
  for (unsigned i = 0; i < form_count && i < MESSAGE_FORMS; i++) {
    hub->encoders[i] = (struct message_encoder){encoders[i], hub->epoch, &hub->counters.encoded,
                                                &hub->counters.form_bytes};
  }
  return hub;
}

void hub_free(struct hub *hub) {
  if (hub == NULL) return;
  struct topic *t;
  for (size_t at = 0; (t = map_next(&hub->topics, &at)) != NULL;) {
    presence_free(t);
    topic_free(t);
  }
  map_free(&hub->topics);
  rules_free(hub->rules);
  pthread_mutex_destroy(&hub->lock);
  free(hub);
}

void hub_limits_set(struct hub *hub, const struct hub_limits *limits) {
  if (limits->max_bytes > 0) hub->limits.max_bytes = limits->max_bytes;
  if (limits->max_topics > 0) hub->limits.max_topics = limits->max_topics;
  uint64_t subscriptions = limits->max_subscriptions;
  if (subscriptions > HUB_MAX_SUBSCRIPTIONS) subscriptions = HUB_MAX_SUBSCRIPTIONS;
  if (subscriptions > 0) hub->limits.max_subscriptions = subscriptions;
}

void hub_rules_set(struct hub *hub, const struct hub_rule *rules, size_t count) {
  struct rules *fresh = rules_new(rules, count);
  pthread_mutex_lock(&hub->lock);
  struct rules *old = hub->rules;
  hub->rules = fresh;
  // Topics look their rule up again when they are next used: doing it here
  // would hold the lock for as long as there are topics.
  hub->rules_version++;
  pthread_mutex_unlock(&hub->lock);
  rules_free(old);
}

const char *hub_epoch(const struct hub *hub) { return hub->epoch; }

struct hub_counters *hub_counters(struct hub *hub) {
  return &hub->counters;
}

// ---- topics, with the lock held ------------------------------------------

static uint64_t *vanished_place(struct hub *hub, struct slice name) {
  uint64_t h = 0xCBF29CE484222325u;  // FNV-1a; a collision costs one needless gap notice
  for (size_t i = 0; i < name.len; i++) h = (h ^ (unsigned char)name.ptr[i]) * 0x100000001B3u;
  return &hub->vanished[(h ^ (h >> 32)) & (HUB_VANISHED - 1)];
}

static void note_vanished(struct hub *hub, struct slice name, uint64_t seq) {
  uint64_t *place = vanished_place(hub, name);
  if (seq > *place) *place = seq;
}

struct topic *hub_topic_find(struct hub *hub, struct slice name) {
  return map_get(&hub->topics, name);
}

struct topic *hub_topic_create(struct hub *hub, struct slice name) {
  struct topic *t = topic_new(name, *vanished_place(hub, name));
  size_t cap = hub->topics.cap;
  map_set(&hub->topics, topic_name(t), t);
  if (hub->topics.cap != cap) hub->topics_version++;
  return t;
}

static void remove_topic(struct hub *hub, struct topic *t) {
  note_vanished(hub, topic_name(t), t->lost_seq);
  map_remove(&hub->topics, topic_name(t));
  hub->topics_version++;
  topic_free(t);
}

const struct hub_rule *hub_topic_rule(struct hub *hub, struct topic *t) {
  if (t->rules_version != hub->rules_version) {
    t->rule = t->is_tap ? tap_rule() : rules_find(hub->rules, topic_name(t));
    t->tap_mask = t->is_tap ? 0 : tap_mask_of(hub, topic_name(t));
    t->rules_version = hub->rules_version;
  }
  return t->rule;
}

static void account(struct hub *hub, const struct topic *t, const struct topic_loss *loss) {
  // What a tap holds are references, bounded by the tap's own rule.
  if (t->is_tap || loss->count == 0) return;
  hub->kept_bytes -= loss->bytes;
  metric_count(&hub->counters.evicted, loss->count);
}

void hub_topic_used(struct hub *hub, struct topic *t) {
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

void hub_topic_trim(struct hub *hub, struct topic *t, uint64_t now_ms) {
  hub_topic_rule(hub, t);
  struct topic_loss loss = topic_trim(t, now_ms);
  account(hub, t, &loss);
  if (loss.count > 0) note_empty(hub, t);
}

bool hub_topic_settle(struct hub *hub, struct topic *t, uint64_t now_ms) {
  if (t->is_tap && t->sub_count == 0) {
    tap_remove(hub, t);
    return true;
  }
  hub_topic_trim(hub, t, now_ms);
  if (!topic_is_idle(t)) return false;
  remove_topic(hub, t);
  return true;
}

static uint64_t held_bytes(const struct hub *hub) {
  return hub->kept_bytes + (uint64_t)metric_get(&hub->counters.form_bytes);
}

// Makes room when all logs together hold more than they may, needed or not: a
// step of it, since a replay that encodes may have added much at once. False
// when there is more to do.
static bool evict_for_memory(struct hub *hub) {
  for (int i = 0; held_bytes(hub) > hub->limits.max_bytes && !list_is_empty(&hub->used); i++) {
    if (i == EVICT_STEP) return false;
    struct topic *t = list_entry(hub->used.next, struct topic, used_link);
    struct topic_loss loss = topic_drop_oldest(t);
    account(hub, t, &loss);
    metric_count(&hub->counters.evicted_memory, loss.count);
    note_empty(hub, t);
    if (topic_is_idle(t)) remove_topic(hub, t);
  }
  return true;
}

// ---- publish -------------------------------------------------------------

bool hub_port_mark(struct topic_port *place) {
  if (!list_is_empty(&place->dirty_link)) return false;
  struct hub_port *port = place->port;
  list_append(&port->dirty, &place->dirty_link);
  return !atomic_exchange_explicit(&port->is_signalled, true, memory_order_acq_rel);
}

bool hub_port_hold(struct topic_port *place, uint64_t cursor) {
  if (cursor < place->pos) place->pos = cursor;
  place->is_held = true;
  return hub_port_mark(place);
}

static void mark_ports(struct topic *t, struct hub_port *from, struct hub_wakes *wakes) {
  for (uint32_t i = 0; i < t->port_count; i++) {
    struct hub_port *port = t->ports[i]->port;
    if (!hub_port_mark(t->ports[i]) || (port == from && !port->is_delivering)) continue;
    atomic_fetch_add_explicit(&port->waker_count, 1, memory_order_relaxed);
    wakes->ports[wakes->count++] = port;
  }
}

void hub_wake_ports(struct hub_wakes *wakes) {
  for (size_t i = 0; i < wakes->count; i++) {
    struct hub_port *port = wakes->ports[i];
    port->ops.wake(port->ctx);
    atomic_fetch_sub_explicit(&port->waker_count, 1, memory_order_release);
  }
  wakes->count = 0;
}

static void append(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                   struct hub_wakes *wakes) {
  struct topic_loss loss = topic_append(t, message_ref(m));
  account(hub, t, &loss);
  if (!t->is_tap) hub->kept_bytes += message_cost(m);
  hub_topic_used(hub, t);
  mark_ports(t, from, wakes);
}

void hub_publish_locked(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                        struct hub_wakes *wakes) {
  m->seq = ++hub->seq;
  if (t != NULL) {
    append(hub, from, t, m, wakes);
  } else {
    note_vanished(hub, message_topic(m), m->seq);
  }
  uint64_t taps = t != NULL ? t->tap_mask : tap_mask_of(hub, message_topic(m));
  for (; taps != 0; taps &= taps - 1) {
    struct topic *tap = hub->taps[__builtin_ctzll(taps)];
    append(hub, from, tap, m, wakes);
    hub_topic_trim(hub, tap, m->published_ms);
  }
  if (t != NULL) hub_topic_settle(hub, t, m->published_ms);
  evict_for_memory(hub);
}

static const struct hub_rule *rule_of(struct hub *hub, struct topic *t, struct slice name) {
  return t != NULL ? hub_topic_rule(hub, t) : rules_find(hub->rules, name);
}

struct topic *hub_topic_for(struct hub *hub, struct slice name) {
  struct topic *t = hub_topic_find(hub, name);
  if (t == NULL && rule_of(hub, t, name)->history > 0) t = hub_topic_create(hub, name);
  if (t != NULL) hub_topic_rule(hub, t);
  return t;
}

// A message for which all others could not make room would drive them out, and then itself.
static uint64_t cost_alone(const struct message *m) { return HUB_TOPIC_COST + message_cost(m); }

static enum hub_status publish_checked(struct hub *hub, struct hub_port *from, struct message *m,
                                       struct hub_wakes *wakes) {
  struct slice name = message_topic(m);
  struct topic *t = hub_topic_find(hub, name);
  if (t == NULL && !topic_name_is_valid(name)) return HUB_BAD_TOPIC;
  const struct hub_rule *rule = rule_of(hub, t, name);
  if (m->size > rule->bytes || cost_alone(m) > hub->limits.max_bytes) return HUB_TOO_LARGE;
  if (t == NULL && rule->history > 0) t = hub_topic_for(hub, name);
  hub_publish_locked(hub, from, t, m, wakes);
  return HUB_OK;
}

bool hub_topic_is_valid(struct slice topic) { return topic_name_is_valid(topic); }

enum hub_status hub_publish(struct hub *hub, struct hub_port *from, struct message *m,
                            uint64_t *seq) {
  struct hub_wakes wakes;
  wakes.count = 0;
  m->published_ms = clock_mono_ms();
  pthread_mutex_lock(&hub->lock);
  enum hub_status status = publish_checked(hub, from, m, &wakes);
  pthread_mutex_unlock(&hub->lock);
  if (status != HUB_OK) goto cleanup;
  hub_wake_ports(&wakes);
  metric_count(&hub->counters.published, 1);
  if (seq != NULL) *seq = m->seq;
cleanup:
  message_unref(m);
  return status;
}

// ---- questions and upkeep ------------------------------------------------

size_t hub_count(struct hub *hub, struct slice topic) {
  pthread_mutex_lock(&hub->lock);
  struct topic *t = hub_topic_find(hub, topic);
  size_t count = t != NULL ? t->sub_count : 0;
  pthread_mutex_unlock(&hub->lock);
  return count;
}

size_t hub_topic_count(struct hub *hub) {
  pthread_mutex_lock(&hub->lock);
  size_t count = hub->topics.count;
  pthread_mutex_unlock(&hub->lock);
  return count;
}

// Looks at the topics of up to HUB_SWEEP_STEP slots of the map. One that goes
// may draw its neighbour into its slot, which is then looked at again; others
// may slip by until the next round.
static void sweep_step(struct hub *hub, uint64_t now_ms) {
  struct map *topics = &hub->topics;
  for (size_t i = 0; i < HUB_SWEEP_STEP && topics->cap > 0; i++) {
    // When the map has shrunk, what was not looked at yet begins here.
    hub->sweep_at &= topics->cap - 1;
    struct topic *t = topics->slots[hub->sweep_at].value;
    if (t == NULL || !hub_topic_settle(hub, t, now_ms)) hub->sweep_at++;
  }
}

// About what messages and topics take, also those topics that keep nothing.
static uint64_t footprint(const struct hub *hub) {
  return held_bytes(hub) + hub->topics.count * HUB_TOPIC_COST;
}

// Freed memory lies between what is still used until it is asked back. Asking
// stops the threads that allocate for as long as it takes, so it is done only
// when most of much has gone; then again and again down to little, because a
// few topics that are left hold back as many pages as there were topics.
static void give_memory_back(struct hub *hub, uint64_t before, uint64_t held) {
  if (before > hub->held_peak) hub->held_peak = before;
  if (hub->held_peak >= HUB_TRIM_BYTES) hub->is_shrinking = true;
  if (!hub->is_shrinking || held > hub->held_peak / 2) return;
  mem_trim();
  hub->held_peak = held;
  hub->is_shrinking = held > HUB_TRIM_BYTES / 64;
}

void hub_sweep(struct hub *hub) {
  uint64_t now_ms = clock_mono_ms();
  size_t slots = 0, wanted = HUB_SWEEP_MIN;
  uint64_t before = 0;
  for (bool has_room = true; slots < wanted || !has_room; slots += HUB_SWEEP_STEP) {
    pthread_mutex_lock(&hub->lock);
    size_t cap = hub->topics.cap;
    if (slots == 0) before = footprint(hub);
    if (cap / HUB_SWEEP_CALLS > wanted) wanted = cap / HUB_SWEEP_CALLS;
    if (slots < wanted) sweep_step(hub, now_ms);
    has_room = evict_for_memory(hub);
    pthread_mutex_unlock(&hub->lock);
    if (slots >= cap && has_room) break;
  }
  presence_sweep(hub, now_ms);
  pthread_mutex_lock(&hub->lock);
  uint64_t held = footprint(hub);
  pthread_mutex_unlock(&hub->lock);
  give_memory_back(hub, before, held);
}
