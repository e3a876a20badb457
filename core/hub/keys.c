// Conflation by key: see keys.h.
#include "hub/keys.h"

#include <stdlib.h>

#include "base/mem.h"

struct keys *keys_new(void) {
  struct keys *keys = mem_zalloc(sizeof *keys);
  map_init(&keys->newest);
  return keys;
}

void keys_free(struct keys *keys) {
  if (keys == NULL) return;
  for (size_t i = keys->start; i < keys->end; i++) message_unref(keys->kept[i].message);
  map_free(&keys->newest);
  free(keys->kept);
  free(keys->dropped);
  free(keys);
}

// ---- what left the ring --------------------------------------------------

// The first place with an ordinal of at least `ordinal`.
static size_t find(const struct keys *keys, uint64_t ordinal) {
  size_t low = keys->start, high = keys->end;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (keys->kept[middle].ordinal < ordinal) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The message in the first place from `place` on that is not empty.
static struct message *first_from(const struct keys *keys, size_t place) {
  while (place < keys->end && keys->kept[place].message == NULL) place++;
  return place < keys->end ? keys->kept[place].message : NULL;
}

// Closes the gaps once most places are empty, or none is left at the end.
static void make_room(struct keys *keys) {
  if (keys->end < keys->cap) return;
  size_t count = 0;
  for (size_t i = keys->start; i < keys->end; i++) {
    if (keys->kept[i].message != NULL) keys->kept[count++] = keys->kept[i];
  }
  keys->start = 0;
  keys->end = count;
  if (count * 2 < keys->cap) return;
  keys->kept = mem_grow(keys->kept, &keys->cap, keys->cap + 1, 16, sizeof *keys->kept);
}

static void skip_empty(struct keys *keys) {
  while (keys->start < keys->end && keys->kept[keys->start].message == NULL) keys->start++;
  while (keys->end > keys->start && keys->kept[keys->end - 1].message == NULL) keys->end--;
  if (keys->kept_count > 0) return;
  free(keys->kept);
  keys->kept = NULL;
  keys->start = keys->end = keys->cap = 0;
}

static struct message *take(struct keys *keys, size_t place) {
  struct message *m = keys->kept[place].message;
  keys->kept[place].message = NULL;
  keys->kept_count--;
  keys->kept_bytes -= m->size;
  skip_empty(keys);
  return m;
}

void keys_keep(struct keys *keys, struct message *m) {
  make_room(keys);
  keys->kept[keys->end++] = (struct kept_message){m->ordinal, m->seq, m};
  keys->kept_count++;
  keys->kept_bytes += m->size;
}

struct message *keys_oldest(const struct keys *keys) {
  return keys->kept_count > 0 ? keys->kept[keys->start].message : NULL;
}

struct message *keys_last(const struct keys *keys) {
  return keys->kept_count > 0 ? keys->kept[keys->end - 1].message : NULL;
}

struct message *keys_pop(struct keys *keys) {
  return take(keys, keys->start);
}

struct message *keys_at_or_after(const struct keys *keys, uint64_t ordinal) {
  return first_from(keys, find(keys, ordinal));
}

struct message *keys_after_seq(const struct keys *keys, uint64_t seq) {
  size_t low = keys->start, high = keys->end;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (keys->kept[middle].seq <= seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return first_from(keys, low);
}

// ---- the newest of each key ----------------------------------------------

struct message *keys_note(struct keys *keys, struct message *m) {
  struct message *old = map_get(&keys->newest, message_key(m));
  map_set(&keys->newest, message_key(m), m);
  if (old == NULL) return NULL;
  old->newer = m->ordinal;
  size_t place = find(keys, old->ordinal);
  bool is_kept = place < keys->end && keys->kept[place].message == old;
  return is_kept ? take(keys, place) : NULL;
}

void keys_forget(struct keys *keys, const struct message *m) {
  map_remove(&keys->newest, message_key(m));
  if (keys->dropped_count < HUB_DROPPED)
    keys->dropped = mem_grow(keys->dropped, &keys->dropped_cap, (size_t)keys->dropped_count + 1, 16,
                             sizeof *keys->dropped);
  keys->dropped[keys->dropped_count++ & (HUB_DROPPED - 1)] = m->ordinal;
}

uint64_t keys_count_dropped(const struct keys *keys, uint64_t ordinal) {
  uint64_t known = keys->dropped_count < HUB_DROPPED ? keys->dropped_count : HUB_DROPPED;
  uint64_t count = 0;
  for (uint64_t i = 0; i < known; i++) count += keys->dropped[i] >= ordinal;
  return count;
}
