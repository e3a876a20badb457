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

void map_init(struct map *m) {
  *m = (struct map){0};
  rand_bytes(&m->seed, sizeof m->seed);
}

void map_free(struct map *m) {
  free(m->slots);
  *m = (struct map){0};
}

// The slot that holds key, or the free slot where it would go.
static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash) {
  size_t i = hash & (m->cap - 1);
  while (m->slots[i].value != NULL) {
    if (m->slots[i].hash == hash && slice_equal(m->slots[i].key, key)) break;
    i = (i + 1) & (m->cap - 1);
  }
  return &m->slots[i];
}

static void resize(struct map *m, size_t cap) {
  struct map old = *m;
  m->slots = mem_zalloc(cap * sizeof *m->slots);
  m->cap = cap;
  for (size_t i = 0; i < old.cap; i++) {
    if (old.slots[i].value != NULL) *find(m, old.slots[i].key, old.slots[i].hash) = old.slots[i];
  }
  free(old.slots);
}

void *map_get(const struct map *m, struct slice key) {
  if (m->count == 0) return NULL;
  return find(m, key, hash_bytes(key, m->seed))->value;
}

void map_set(struct map *m, struct slice key, void *value) {
  if ((m->count + 1) * 4 > m->cap * 3) resize(m, m->cap == 0 ? 8 : m->cap * 2);
  uint64_t hash = hash_bytes(key, m->seed);
  struct map_slot *slot = find(m, key, hash);
  if (slot->value == NULL) m->count++;
  *slot = (struct map_slot){key, hash, value};
}

void *map_remove(struct map *m, struct slice key) {
  if (m->count == 0) return NULL;
  struct map_slot *slot = find(m, key, hash_bytes(key, m->seed));
  void *value = slot->value;
  if (value == NULL) return NULL;
  // Backward-shift deletion keeps probe chains whole without tombstones.
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
  m->count--;
  // A million short-lived topics must not leave a large table behind.
  if (m->cap > 64 && m->count * 8 < m->cap) resize(m, m->cap / 2);
  return value;
}

void *map_next(const struct map *m, size_t *position) {
  while (*position < m->cap) {
    void *value = m->slots[(*position)++].value;
    if (value != NULL) return value;
  }
  return NULL;
}
