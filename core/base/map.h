// Hash map from byte strings to pointers: open addressing, linear probing,
// keyed with a per-map random seed so that peers cannot aim at collisions.
// Keys are borrowed: they must stay alive and unchanged while in the map
// (usually they are part of the value).
//
// No call takes long, however many entries there are: when a large map grows or shrinks, each
// later call that changes it moves a few of the old places to the new ones, and gives back the
// pages of those that have moved.
#ifndef TIDEGATE_BASE_MAP_H
#define TIDEGATE_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct map_slot {
  struct slice key;
  uint64_t hash;
  void *value;  // NULL: free
};

struct map {
  struct map_slot *slots;
  size_t cap;    // power of two, or 0
  size_t count;  // of entries, in both
  uint64_t seed;
  struct map_slot *old;  // while entries move, else NULL: what was `slots` before
  size_t old_cap;
  size_t old_at;  // the places of `old` before this one have moved
};

void map_init(struct map *m);
void map_free(struct map *m);  // frees the map, not keys or values

void *map_get(const struct map *m, struct slice key);  // NULL when absent
void map_set(struct map *m, struct slice key,
             void *value);                          // value is not NULL; replaces key and value
void *map_remove(struct map *m, struct slice key);  // the removed value, or NULL

// Places, for walks during which the map changes: map_at is the value at a place, or NULL where
// there is none. As long as nothing moves, an entry that stays is found by whoever walks from
// one free place to another: a removal shifts entries only back, and never over a free place.
static inline size_t map_places(const struct map *m) { return m->cap + m->old_cap; }
void *map_at(const struct map *m, size_t place);
// Moves up to so many old places now, where later calls would have, a few each.
void map_move(struct map *m, size_t places);
static inline bool map_is_moving(const struct map *m) { return m->old != NULL; }

// Walks all entries: start with *position = 0; NULL at the end. The map must
// not be changed during the walk.
void *map_next(const struct map *m, size_t *position);

#endif
