// Topics and their logs: see topic.h.
#include "hub/topic.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { RING_MIN = 4 };

bool topic_name_is_valid(struct slice name) {
  if (name.len < 1 || name.len > HUB_TOPIC_MAX) return false;
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.ptr[i];
    if (c < 0x20 || c == 0x7F) return false;
    // U+0080 to U+009F are control characters too: C2 80 to C2 9F.
    if (c == 0xC2 && i + 1 < name.len && (unsigned char)name.ptr[i + 1] < 0xA0) return false;
  }
  return utf8_is_valid(name);
}

struct topic *topic_new(struct slice name, uint64_t lost_seq) {
  struct topic *t = mem_zalloc(sizeof *t + name.len);
  list_init(&t->sweep_link);
  t->lost_seq = lost_seq;
  t->name_len = (uint8_t)name.len;
  memcpy(t->name, name.ptr, name.len);
  return t;
}

void topic_free(struct topic *t) {
  for (uint64_t i = t->base; i < t->head; i++) message_unref(topic_at(t, i));
  list_remove(&t->sweep_link);
  free(t->ring);
  free(t->ports);
  free(t);
}

// ---- the log -------------------------------------------------------------

static void ring_resize(struct topic *t, uint32_t cap) {
  struct message **ring = mem_alloc(cap * sizeof *ring);
  for (uint64_t i = t->base; i < t->head; i++) ring[i & (cap - 1)] = topic_at(t, i);
  free(t->ring);
  t->ring = ring;
  t->cap = cap;
}

void topic_append(struct topic *t, struct message *m) {
  if (t->head - t->base == t->cap) ring_resize(t, t->cap == 0 ? RING_MIN : t->cap * 2);
  t->bytes += m->size;
  t->ring[t->head++ & (t->cap - 1)] = m;
}

uint64_t topic_find_after(const struct topic *t, uint64_t seq) {
  uint64_t low = t->base, high = t->head;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (topic_at(t, middle)->seq > seq) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

static bool is_beyond_retention(const struct topic *t, uint64_t now_ms) {
  const struct hub_rule *rule = t->rule;
  uint64_t window = t->sub_count > 0 ? HUB_WINDOW : 0;
  if (t->head - t->base > (rule->history > 0 ? rule->history : window)) return true;
  if (t->bytes > rule->bytes) return true;
  return rule->ttl_ms > 0 && topic_at(t, t->base)->published_ms + rule->ttl_ms <= now_ms;
}

// The ordinal from which on some port has not drained the log.
static uint64_t undrained(const struct topic *t) {
  uint64_t pos = t->head;
  for (uint32_t i = 0; i < t->port_count; i++) {
    if (t->ports[i]->pos < pos) pos = t->ports[i]->pos;
  }
  return pos;
}

struct topic_loss topic_trim(struct topic *t, uint64_t now_ms, bool is_forced) {
  struct topic_loss loss = {0};
  uint64_t stop = is_forced ? t->head : undrained(t);
  while (t->base < stop && is_beyond_retention(t, now_ms)) {
    struct message *m = topic_at(t, t->base++);
    t->lost_seq = m->seq;
    t->bytes -= m->size;
    loss.count++;
    loss.bytes += m->size;
    message_unref(m);
  }
  // A burst that is over must not leave its ring behind.
  uint64_t kept = t->head - t->base;
  if (loss.count > 0 && t->cap > 64 && kept * 8 < t->cap) {
    uint32_t cap = RING_MIN;
    while (cap < kept * 2) cap *= 2;
    ring_resize(t, cap);
  }
  return loss;
}

// ---- ports ---------------------------------------------------------------

struct topic_port *topic_port_find(const struct topic *t, const struct hub_port *port) {
  for (uint32_t i = 0; i < t->port_count; i++) {
    if (t->ports[i]->port == port) return t->ports[i];
  }
  return NULL;
}

struct topic_port *topic_port_add(struct topic *t, struct hub_port *port) {
  struct topic_port *place = mem_zalloc(sizeof *place);
  place->topic = t;
  place->port = port;
  place->pos = place->end = t->head;
  list_init(&place->dirty_link);
  t->ports = mem_realloc(t->ports, (t->port_count + 1) * sizeof *t->ports);
  t->ports[t->port_count++] = place;
  return place;
}

void topic_port_remove(struct topic_port *place) {
  struct topic *t = place->topic;
  uint32_t i = 0;
  while (t->ports[i] != place) i++;
  t->ports[i] = t->ports[--t->port_count];
  list_remove(&place->dirty_link);
  free(place->subs);
  free(place);
}
