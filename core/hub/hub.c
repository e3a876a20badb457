// The hub itself: its life, its topics by name, and publishing.
#include "hub/hub.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hub/internal.h"

// ---- life ----------------------------------------------------------------

static void draw_epoch(char epoch[HUB_EPOCH_LEN + 1]) {
  static const char letters[32] = "0123456789abcdefghjkmnpqrstvwxyz";
  unsigned char bytes[HUB_EPOCH_LEN];
  rand_bytes(bytes, sizeof bytes);
  for (int i = 0; i < HUB_EPOCH_LEN; i++) epoch[i] = letters[bytes[i] % 32];
  epoch[HUB_EPOCH_LEN] = '\0';
}

struct hub *hub_new(message_encode_fn *const *encoders, unsigned form_count) {
  struct hub *hub = mem_zalloc(sizeof *hub);
  pthread_mutex_init(&hub->lock, NULL);
  map_init(&hub->topics);
  list_init(&hub->sweep);
  hub->rules = rules_new(NULL, 0);
  hub->rules_version = 1;
  hub->max_bytes = HUB_MAX_BYTES;
  draw_epoch(hub->epoch);
  hub->form_count = form_count;
  for (unsigned i = 0; i < form_count && i < MESSAGE_FORMS; i++) {
    struct form_encoder *form = &hub->forms[i];
    memcpy(form->epoch, hub->epoch, sizeof hub->epoch);
    form->encode = encoders[i];
    form->encoded = &hub->counters.encoded;
  }
  return hub;
}

void hub_free(struct hub *hub) {
  if (hub == NULL) return;
  while (!list_is_empty(&hub->sweep))
    topic_free(list_entry(hub->sweep.next, struct topic, sweep_link));
  map_free(&hub->topics);
  rules_free(hub->rules);
  pthread_mutex_destroy(&hub->lock);
  free(hub);
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
  map_set(&hub->topics, topic_name(t), t);
  list_append(&hub->sweep, &t->sweep_link);
  return t;
}

const struct hub_rule *hub_topic_rule(struct hub *hub, struct topic *t) {
  if (t->rules_version != hub->rules_version) {
    t->rule = rules_find(hub->rules, topic_name(t));
    t->rules_version = hub->rules_version;
  }
  return t->rule;
}

void hub_topic_trim(struct hub *hub, struct topic *t, uint64_t now_ms) {
  hub_topic_rule(hub, t);
  struct topic_loss loss = topic_trim(t, now_ms, hub->kept_bytes > hub->max_bytes);
  if (loss.count == 0) return;
  hub->kept_bytes -= loss.bytes + loss.count * sizeof(struct message);
  atomic_fetch_add_explicit(&hub->counters.evicted, loss.count, memory_order_relaxed);
}

void hub_topic_settle(struct hub *hub, struct topic *t, uint64_t now_ms) {
  hub_topic_trim(hub, t, now_ms);
  if (!topic_is_idle(t)) return;
  note_vanished(hub, topic_name(t), t->lost_seq);
  map_remove(&hub->topics, topic_name(t));
  topic_free(t);
}

// ---- publish -------------------------------------------------------------

bool hub_port_mark(struct topic_port *place) {
  if (!list_is_empty(&place->dirty_link)) return false;
  struct hub_port *port = place->port;
  list_append(&port->dirty, &place->dirty_link);
  return !atomic_exchange_explicit(&port->is_signalled, true, memory_order_acq_rel);
}

struct wakes {
  size_t count;
  struct hub_port *ports[HUB_PORTS];
};

static void mark_ports(struct topic *t, struct hub_port *from, struct wakes *wakes) {
  for (uint32_t i = 0; i < t->port_count; i++) {
    struct hub_port *port = t->ports[i]->port;
    if (!hub_port_mark(t->ports[i]) || (port == from && !port->is_draining)) continue;
    atomic_fetch_add_explicit(&port->waker_count, 1, memory_order_relaxed);
    wakes->ports[wakes->count++] = port;
  }
}

// Waking is a system call, so it is done without the lock.
static void wake_ports(const struct wakes *wakes) {
  for (size_t i = 0; i < wakes->count; i++) {
    struct hub_port *port = wakes->ports[i];
    port->ops.wake(port->ctx);
    atomic_fetch_sub_explicit(&port->waker_count, 1, memory_order_release);
  }
}

// The topic that will keep a message of `size` bytes; NULL with HUB_OK when
// nobody would see it, so that a stray publish leaves nothing behind.
static enum hub_status topic_for(struct hub *hub, struct slice name, uint32_t size,
                                 struct topic **out) {
  struct topic *t = hub_topic_find(hub, name);
  const struct hub_rule *rule = t != NULL ? hub_topic_rule(hub, t) : rules_find(hub->rules, name);
  if (size > rule->bytes) return HUB_TOO_LARGE;
  if (t == NULL && rule->history > 0) t = hub_topic_create(hub, name);
  *out = t;
  return HUB_OK;
}

static enum hub_status publish_locked(struct hub *hub, struct hub_port *from, struct slice name,
                                      struct message *m, struct wakes *wakes) {
  struct topic *t = NULL;
  enum hub_status status = topic_for(hub, name, m->size, &t);
  if (status != HUB_OK) return status;
  m->seq = ++hub->seq;
  if (t == NULL) {
    note_vanished(hub, name, m->seq);
    return HUB_OK;
  }
  topic_append(t, message_ref(m));
  hub->kept_bytes += m->size + sizeof *m;
  mark_ports(t, from, wakes);
  hub_topic_settle(hub, t, m->published_ms);
  return HUB_OK;
}

enum hub_status hub_publish(struct hub *hub, struct hub_port *from, struct slice topic,
                            struct message *m, uint64_t *seq) {
  enum hub_status status = HUB_BAD_TOPIC;
  struct wakes wakes;
  wakes.count = 0;
  if (!topic_name_is_valid(topic)) goto cleanup;
  m->published_ms = clock_mono_ms();
  pthread_mutex_lock(&hub->lock);
  status = publish_locked(hub, from, topic, m, &wakes);
  pthread_mutex_unlock(&hub->lock);
  if (status != HUB_OK) goto cleanup;
  wake_ports(&wakes);
  atomic_fetch_add_explicit(&hub->counters.published, 1, memory_order_relaxed);
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

void hub_sweep(struct hub *hub) {
  uint64_t now_ms = clock_mono_ms();
  size_t left = HUB_SWEEP_MAX;
  while (left > 0) {
    pthread_mutex_lock(&hub->lock);
    if (left > hub->topics.count) left = hub->topics.count;
    for (size_t step = left < HUB_SWEEP_STEP ? left : HUB_SWEEP_STEP; step > 0; step--, left--) {
      struct list *node = list_pop(&hub->sweep);
      list_append(&hub->sweep, node);
      hub_topic_settle(hub, list_entry(node, struct topic, sweep_link), now_ms);
    }
    pthread_mutex_unlock(&hub->lock);
  }
}
