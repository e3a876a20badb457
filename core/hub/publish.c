// Publishing: see publish.h.
#include "hub/publish.h"

#include "base/clock.h"
#include "hub/tap.h"
#include "hub/topics.h"

static void append(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                   struct port_wakes *wakes) {
  struct topic_loss loss = topic_append(t, message_ref(m));
  topics_account(hub, t, &loss);
  if (!t->is_tap) hub->kept_bytes += message_cost(m);
  topics_note_used(hub, t);
  port_mark_topic(t, from, wakes);
}

void publish_message(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                     uint64_t now_ns, struct port_wakes *wakes) {
  m->seq = ++hub->seq;
  m->published_ms = now_ns / 1000000;
  m->time_ns = now_ns + (uint64_t)hub->wall_offset_ns;
  if (t != NULL) {
    append(hub, from, t, m, wakes);
  } else {
    topics_note_vanished(hub, message_topic(m), m->seq);
  }
  uint64_t taps = t != NULL ? t->tap_mask : tap_mask_of(hub, message_topic(m));
  for (; taps != 0; taps &= taps - 1) {
    struct topic *tap = hub->taps[__builtin_ctzll(taps)];
    append(hub, from, tap, m, wakes);
    topics_trim(hub, tap, m->published_ms);
  }
  if (t != NULL) topics_settle(hub, t, m->published_ms);
  if (!topics_are_within_limit(hub)) topics_evict(hub);
}

// A message for which all others could not make room would drive them out, and then itself.
static uint64_t cost_alone(const struct message *m) { return HUB_TOPIC_COST + message_cost(m); }

static enum hub_status publish_checked(struct hub *hub, struct hub_port *from, struct message *m,
                                       uint64_t now_ns, struct port_wakes *wakes) {
  struct slice name = message_topic(m);
  struct topic *t = topics_find(hub, name);
  enum hub_status status = t == NULL ? topic_name_check(name) : HUB_OK;
  if (status == HUB_OK && topic_is_reserved(name)) status = HUB_RESERVED;
  if (status != HUB_OK) return status;
  const struct hub_rule *rule = topics_rule_of(hub, t, name);
  if (m->size > rule->bytes || cost_alone(m) > hub->limits.max_bytes) return HUB_TOO_LARGE;
  if (t == NULL && rule->history > 0) t = topics_for(hub, name);
  publish_message(hub, from, t, m, now_ns, wakes);
  return HUB_OK;
}

enum hub_status hub_publish(struct hub *hub, struct hub_port *from, struct message *m,
                            uint64_t *seq) {
  struct port_wakes wakes;
  wakes.count = 0;
  uint64_t now_ns = clock_mono_ns();
  pthread_mutex_lock(&hub->lock);
  enum hub_status status = publish_checked(hub, from, m, now_ns, &wakes);
  pthread_mutex_unlock(&hub->lock);
  if (status != HUB_OK) goto cleanup;
  port_wake_all(&wakes);
  metric_count(&hub->counters.published, 1);
  if (seq != NULL) *seq = m->seq;
cleanup:
  message_unref(m);
  return status;
}
