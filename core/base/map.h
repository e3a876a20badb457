// Hash map from byte strings to pointers: open addressing, linear probing,
// keyed with a per-map random seed so that peers cannot aim at collisions.
// Keys are borrowed: they must stay alive and unchanged while in the map
// (usually they are part of the value).
#ifndef TIDEGATE_BASE_MAP_H
#define TIDEGATE_BASE_MAP_H

#include <stdint.h>

#include "base/slice.h"

struct map_slot {
  struct slice key;
  uint64_t hash;
  void *value;  // NULL: free
};

struct map {
  struct map_slot *slots;
  size_t cap;  // power of two, or 0
  size_t count;
  uint64_t seed;
};

void map_init(struct map *m);
void map_free(struct map *m);  // frees the map, not keys or values

void *map_get(const struct map *m, struct slice key);  // NULL when absent
void map_set(struct map *m, struct slice key,
             void *value);                          // value is not NULL; replaces key and value
void *map_remove(struct map *m, struct slice key);  // the removed value, or NULL

// Walks all entries: start with *position = 0; NULL at the end. The map must
// not be changed during the walk.
void *map_next(const struct map *m, size_t *position);

#endif
