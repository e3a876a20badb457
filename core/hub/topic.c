// Topics and their logs: see topic.h.
#include "hub/topic.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { RING_MIN = 4 };

// One pass, because every publish pays for it. Text of ASCII alone is UTF-8.
static bool is_valid_text(struct slice text, bool *has_star) {
  if (text.len < 1 || text.len > HUB_TOPIC_MAX) return false;
  unsigned char all = 0;
  *has_star = false;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c < 0x20 || c == 0x7F) return false;
    // U+0080 to U+009F are control characters too: C2 80 to C2 9F.
    if (c == 0xC2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xA0) return false;
    *has_star |= c == '*';
    all |= c;
  }
  return all < 0x80 || utf8_is_valid(text);
}

bool topic_text_is_valid(struct slice text) {
  bool has_star;
  return is_valid_text(text, &has_star);
}

enum hub_status topic_name_check(struct slice name) {
  bool has_star;
  if (!is_valid_text(name, &has_star)) return HUB_BAD_TOPIC;
  return has_star ? HUB_IS_PATTERN : HUB_OK;
}

struct topic *topic_new(struct slice name, uint64_t lost_seq) {
  struct topic *t = mem_zalloc(sizeof *t + name.len);
  list_init(&t->used_link);
  t->lost_seq = lost_seq;
  t->name_len = (uint8_t)name.len;
  memcpy(t->name, name.ptr, name.len);
  return t;
}

void topic_free(struct topic *t) {
  for (uint64_t i = t->base; i < t->head; i++) message_unref(topic_at(t, i));
  list_remove(&t->used_link);
  keys_free(t->keys);
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

// What a message counts for the rule's `bytes`. No other bound sees what only a tap refers to,
// and a key may be larger than its message.
static uint64_t weight(const struct topic *t, const struct message *m) {
  return t->is_tap ? message_cost(m) : m->size;
}

static void add_loss(struct topic_loss *loss, struct message *m) {
  loss->count++;
  loss->bytes += message_cost(m);
  message_unref(m);
}

struct topic_loss topic_append(struct topic *t, struct message *m) {
  struct topic_loss loss = {0};
  if (t->head - t->base == t->cap) ring_resize(t, t->cap == 0 ? RING_MIN : t->cap * 2);
  t->bytes += weight(t, m);
  if (!t->is_tap) {
    m->ordinal = t->head;
    m->keyed = t->keyed;
  }
  t->ring[t->head++ & (t->cap - 1)] = m;
  if (m->key_len == 0 || t->is_tap) return loss;
  t->keyed++;
  if (t->keys == NULL) t->keys = keys_new();
  struct message *superseded = keys_note(t->keys, m);
  if (superseded != NULL) add_loss(&loss, superseded);
  return loss;
}

struct message *topic_next(const struct topic *t, uint64_t ordinal, uint64_t *found) {
  if (ordinal < t->base && t->keys != NULL) {
    struct message *m = keys_at_or_after(t->keys, ordinal);
    if (m != NULL) {
      *found = m->ordinal;
      return m;
    }
  }
  *found = ordinal > t->base ? ordinal : t->base;
  return *found < t->head ? topic_at(t, *found) : NULL;
}

uint64_t topic_first(const struct topic *t) {
  if (t->rule->history == 0) return t->head;
  struct message *m = t->keys != NULL ? keys_oldest(t->keys) : NULL;
  return m != NULL ? m->ordinal : t->base;
}

uint64_t topic_last(const struct topic *t) {
  if (t->rule->history == 0) return t->head;
  if (t->head > t->base) return t->head - 1;
  struct message *m = t->keys != NULL ? keys_last(t->keys) : NULL;
  return m != NULL ? m->ordinal : t->head;
}

uint64_t topic_find_after(const struct topic *t, uint64_t seq) {
  struct message *kept = t->keys != NULL ? keys_after_seq(t->keys, seq) : NULL;
  if (kept != NULL) return kept->ordinal;
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

size_t topic_kept_count(const struct topic *t) {
  return (size_t)(t->head - t->base) + (t->keys != NULL ? t->keys->kept_count : 0);
}

uint32_t topic_unkeyed_before(const struct topic *t, uint64_t ordinal) {
  uint64_t found;
  if (t->is_tap) return 0;
  const struct message *m = ordinal < t->head ? topic_next(t, ordinal, &found) : NULL;
  return m != NULL ? (uint32_t)m->ordinal - m->keyed : (uint32_t)t->head - t->keyed;
}

uint64_t topic_lost_since(const struct topic *t, uint64_t ordinal, uint32_t unkeyed) {
  if (ordinal >= t->base) return 0;
  if (t->keys == NULL) return t->base - ordinal;
  uint32_t without_key = topic_unkeyed_before(t, t->base) - unkeyed;
  return without_key + keys_count_dropped(t->keys, ordinal);
}

// ---- retention -----------------------------------------------------------

static bool is_expired(const struct topic *t, const struct message *m, uint64_t now_ms) {
  return t->rule->ttl_ms > 0 && m->published_ms + t->rule->ttl_ms <= now_ms;
}

// The ordinal from which on some port has not delivered the log.
static uint64_t undelivered(const struct topic *t) {
  uint64_t pos = t->head;
  for (uint32_t i = 0; i < t->port_count; i++) {
    if (t->ports[i]->pos < pos) pos = t->ports[i]->pos;
  }
  return pos;
}

// How many messages the ring holds, and as many more the newest of their keys.
static uint64_t message_limit(const struct topic *t) {
  if (t->rule->history > 0) return t->rule->history;
  return t->sub_count > 0 ? HUB_WINDOW : 0;
}

// m is gone for good.
static void lose(struct topic *t, struct message *m, struct topic_loss *loss) {
  if (m->seq > t->lost_seq) t->lost_seq = m->seq;
  if (m->key_len > 0 && !t->is_tap) keys_forget(t->keys, m);
  add_loss(loss, m);
}

static struct message *ring_pop(struct topic *t) {
  struct message *m = topic_at(t, t->base++);
  t->bytes -= weight(t, m);
  return m;
}

static bool may_go_on(struct topic_loss *loss, unsigned *steps) {
  if (++*steps > TOPIC_TRIM_STEP) loss->has_more = true;
  return !loss->has_more;
}

static void trim_ring(struct topic *t, uint64_t stop, uint64_t now_ms, struct topic_loss *loss) {
  uint64_t limit = message_limit(t), read = t->is_tap ? undelivered(t) : 0;
  for (unsigned steps = 0; t->base < stop;) {
    bool is_old = t->base < read || is_expired(t, topic_at(t, t->base), now_ms);
    if (!is_old && t->head - t->base <= limit && t->bytes <= t->rule->bytes) return;
    if (!may_go_on(loss, &steps)) return;
    struct message *m = ring_pop(t);
    bool has_key = m->key_len > 0 && !t->is_tap;
    if (has_key && m->newer != 0) {
      add_loss(loss, m);
    } else if (has_key) {  // whether it may stay, trim_kept says, in the order of the log
      keys_keep(t->keys, m);
    } else {
      lose(t, m, loss);
    }
  }
}

static void trim_kept(struct topic *t, uint64_t stop, uint64_t now_ms, struct topic_loss *loss) {
  struct message *m;
  uint64_t limit = message_limit(t);
  unsigned steps = 0;
  while (t->keys != NULL && (m = keys_oldest(t->keys)) != NULL && m->ordinal < stop) {
    bool fits = t->keys->kept_count <= limit && t->keys->kept_bytes <= t->rule->bytes;
    if (fits && !is_expired(t, m, now_ms)) return;
    if (!may_go_on(loss, &steps)) return;
    lose(t, keys_pop(t->keys), loss);
  }
}

// A burst that is over must not leave its ring behind.
static void ring_shrink(struct topic *t) {
  uint64_t kept = t->head - t->base;
  if (t->cap <= 64 || kept * 8 >= t->cap) return;
  uint32_t cap = RING_MIN;
  while (cap < kept * 2) cap *= 2;
  ring_resize(t, cap);
}

struct topic_loss topic_trim(struct topic *t, uint64_t now_ms) {
  struct topic_loss loss = {0};
  // The hub's memory cap does not see what a tap refers to, so its window bounds it always.
  uint64_t stop = t->is_tap ? t->head : undelivered(t), base = t->base;
  trim_ring(t, stop, now_ms, &loss);
  trim_kept(t, stop, now_ms, &loss);
  if (t->base > base) ring_shrink(t);
  return loss;
}

struct topic_loss topic_drop_oldest(struct topic *t) {
  struct topic_loss loss = {0};
  bool is_kept = t->keys != NULL && t->keys->kept_count > 0;
  struct message *m = is_kept ? keys_pop(t->keys) : ring_pop(t);
  if (m->key_len > 0 && !t->is_tap && m->newer != 0) {
    add_loss(&loss, m);
  } else {
    lose(t, m, &loss);
  }
  ring_shrink(t);
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
  place->pos = place->start = place->end = t->head;
  list_init(&place->dirty_link);
  // One by one: there are as many as workers, and topics in any number.
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
