// The way to a file: every link on it, and the folders and names that it depends on.
#ifndef TIDEGATE_SCRIPT_RELOAD_WAY_H
#define TIDEGATE_SCRIPT_RELOAD_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

#define WAY_HASH_START 0xcbf29ce484222325u

// What to watch: a name in a folder, or all of the folder (name is NULL).
struct place {
  char *key;     // folder, '/', name
  char *folder;  // to open it
  char *name;
  bool is_file;  // its bytes count, and not only its being there
};

struct places {
  struct place *all;
  size_t count, cap;
  struct map by_key;  // their numbers, from 1
};

void places_init(struct places *places);
void places_free(struct places *places);

// Notes a place to watch, once: all of a folder (or a file, name is NULL), or a name in it.
void places_add(struct places *places, const char *folder, const char *name, bool is_file);

// Follows `path` from its start, one name at a time, and notes each. Returns the hash of
// all links on the way: WAY_HASH_START when there are none.
uint64_t way_follow(struct places *places, const char *path);

// FNV-1a: tells contents and links apart, is no protection.
uint64_t way_hash(uint64_t hash, const void *bytes, size_t len);

#endif
