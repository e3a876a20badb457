// Hash map: see map.h.
#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"

// wyhash-like mixing: 8 bytes a step, one multiply each (after wyhash by Wang Yi).
static uint64_t mix(uint64_t a, uint64_t b) {
  __uint128_t product = (__uint128_t)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(struct slice key, uint64_t seed) {
  uint64_t h = seed ^ key.len;
  const char *p = key.ptr;
  size_t left = key.len;
  while (left > 0) {
    uint64_t word = 0;
    size_t step = left < 8 ? left : 8;
    memcpy(&word, p, step);
    h = mix(h ^ word, 0x9E3779B97F4A7C15u);
    p += step;
    left -= step;
  }
  return mix(h, 0xD6E8FEB86659FD93u);
}

// ---- memory --------------------------------------------------------------

enum {
  MOVE_STEP = 32,       // old places looked at in a call
  MOVE_AT_ONCE = 1024,  // a map of so many moves at once
  PAGE_PLACES = MEM_PAGES_STEP / sizeof(struct map_slot),
  LARGE_PLACES = 4 * PAGE_PLACES,  // so many have pages of their own
};

_Static_assert((PAGE_PLACES & (PAGE_PLACES - 1)) == 0, "steps of memory hold whole places");

static struct map_slot *slots_new(size_t cap) {
  size_t bytes = cap * sizeof(struct map_slot);
  return cap >= LARGE_PLACES ? mem_pages(bytes) : mem_zalloc(bytes);
}

// The places before `gone` are not there any more.
static void slots_free(struct map_slot *slots, size_t cap, size_t gone) {
  if (cap >= LARGE_PLACES)
    mem_pages_free(slots + gone, (cap - gone) * sizeof *slots);
  else
    free(slots);
}

// How many old places are not there any more: whole steps of those that have moved.
static size_t old_gone(const struct map *m) {
  return m->old_cap >= LARGE_PLACES ? m->old_at & ~(size_t)(PAGE_PLACES - 1) : 0;
}

void map_init(struct map *m) {
  *m = (struct map){0};
  rand_bytes(&m->seed, sizeof m->seed);
}

void map_free(struct map *m) {
  slots_free(m->slots, m->cap, 0);
  slots_free(m->old, m->old_cap, old_gone(m));
  *m = (struct map){0};
}

// ---- places --------------------------------------------------------------

// Stands in an old place whose entry was removed: others lie behind it.
static const char removed;

// The slot that holds key, or the free slot where it would go.
static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash) {
  size_t i = hash & (m->cap - 1);
  while (m->slots[i].value != NULL) {
    if (m->slots[i].hash == hash && slice_equal(m->slots[i].key, key)) break;
    i = (i + 1) & (m->cap - 1);
  }
  return &m->slots[i];
}

static bool is_live(const struct map *m, size_t old_place) {
  if (old_place < m->old_at) return false;
  const void *value = m->old[old_place].value;
  return value != NULL && value != &removed;
}

// The same in the old places; NULL when it is not there. What has moved is passed over: what
// has not, and would have been found behind it, lies behind all that has.
static struct map_slot *find_old(const struct map *m, struct slice key, uint64_t hash) {
  if (m->old == NULL) return NULL;
  size_t mask = m->old_cap - 1;
  size_t i = hash & mask;
  for (size_t looked = 0; looked < m->old_cap; looked++, i = (i + 1) & mask) {
    if (i < m->old_at) i = m->old_at;
    struct map_slot *slot = &m->old[i];
    if (slot->value == NULL) break;
    if (is_live(m, i) && slot->hash == hash && slice_equal(slot->key, key)) return slot;
  }
  return NULL;
}

// ---- moving --------------------------------------------------------------

static void move(struct map *m, size_t places) {
  size_t gone = old_gone(m);
  for (; places > 0 && m->old_at < m->old_cap; places--) {
    size_t at = m->old_at;
    if (is_live(m, at)) *find(m, m->old[at].key, m->old[at].hash) = m->old[at];
    m->old_at++;
  }
  if (old_gone(m) > gone) mem_pages_free(m->old + gone, (old_gone(m) - gone) * sizeof *m->old);
  if (m->old_at < m->old_cap) return;
  slots_free(m->old, m->old_cap, old_gone(m));
  m->old = NULL;
  m->old_cap = m->old_at = 0;
}

static void resize(struct map *m, size_t cap) {
  if (m->old != NULL) move(m, SIZE_MAX);
  m->old = m->slots;
  m->old_cap = m->cap;
  m->slots = slots_new(cap);
  m->cap = cap;
  if (m->old_cap <= MOVE_AT_ONCE) move(m, SIZE_MAX);
}

// ---- the calls -----------------------------------------------------------

void *map_get(const struct map *m, struct slice key) {
  if (m->count == 0) return NULL;
  uint64_t hash = hash_bytes(key, m->seed);
  void *value = find(m, key, hash)->value;
  if (value != NULL || m->old == NULL) return value;
  const struct map_slot *slot = find_old(m, key, hash);
  return slot != NULL ? slot->value : NULL;
}

void map_set(struct map *m, struct slice key, void *value) {
  if ((m->count + 1) * 4 > m->cap * 3) resize(m, m->cap == 0 ? 8 : m->cap * 2);
  uint64_t hash = hash_bytes(key, m->seed);
  if (m->old != NULL) {
    struct map_slot *before = find_old(m, key, hash);
    if (before != NULL) {
      before->value = (void *)&removed;
      m->count--;
    }
    move(m, MOVE_STEP);
  }
  struct map_slot *slot = find(m, key, hash);
  if (slot->value == NULL) m->count++;
  *slot = (struct map_slot){key, hash, value};
}

// Backward-shift deletion keeps probe chains whole without tombstones.
static void remove_slot(struct map *m, struct map_slot *slot) {
  size_t hole = (size_t)(slot - m->slots);
  size_t mask = m->cap - 1;
  for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
    size_t home = m->slots[i].hash & mask;
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      m->slots[hole] = m->slots[i];
      hole = i;
    }
  }
  m->slots[hole].value = NULL;
}

void *map_remove(struct map *m, struct slice key) {
  if (m->count == 0) return NULL;
  uint64_t hash = hash_bytes(key, m->seed);
  struct map_slot *slot = find(m, key, hash);
  void *value = slot->value;
  if (value != NULL) {
    remove_slot(m, slot);
  } else {
    slot = find_old(m, key, hash);
    if (slot == NULL) return NULL;
    value = slot->value;
    slot->value = (void *)&removed;
  }
  m->count--;
  if (m->old != NULL) {
    move(m, MOVE_STEP);
  } else if (m->cap > 64 && m->count * 8 < m->cap) {
    // A million short-lived topics must not leave a large table behind.
    resize(m, m->cap / 2);
  }
  return value;
}

void map_move(struct map *m, size_t places) {
  if (m->old != NULL) move(m, places);
}

void *map_at(const struct map *m, size_t place) {
  if (place < m->cap) return m->slots[place].value;
  return is_live(m, place - m->cap) ? m->old[place - m->cap].value : NULL;
}

void *map_next(const struct map *m, size_t *position) {
  while (*position < map_places(m)) {
    void *value = map_at(m, (*position)++);
    if (value != NULL) return value;
  }
  return NULL;
}
