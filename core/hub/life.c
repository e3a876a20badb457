// The life of a hub: making and freeing it, its rules and its limits.
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hub/presence.h"
#include "hub/topics.h"

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
  list_init(&hub->doomed);
  list_init(&hub->presences);
  list_init(&hub->leaving);
  hub->rules = rules_new(NULL, 0);
  hub->rules_version = 1;
  hub->limits = (struct hub_limits){HUB_MAX_BYTES, HUB_MAX_TOPICS, HUB_MAX_SUBSCRIPTIONS};
  hub->wall_offset_ns = clock_wall_offset_ns();
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
    presence_free(hub, t);
    topic_free(t);
  }
  topics_free_doomed(&hub->doomed);
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
