// Following links: see way.h.
#include "script/reload/way.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { LINKS_MAX = 40 };  // as the kernel has it: a loop ends here

uint64_t way_hash(uint64_t hash, const void *bytes, size_t len) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < len; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
  return hash;
}

void places_init(struct places *places) {
  *places = (struct places){0};
  map_init(&places->by_key);
}

void places_free(struct places *places) {
  for (size_t i = 0; i < places->count; i++) {
    free(places->all[i].key);
    free(places->all[i].folder);
    free(places->all[i].name);
  }
  free(places->all);
  map_free(&places->by_key);
}

void places_add(struct places *places, const char *folder, const char *name, bool is_file) {
  char *key = mem_format("%s/%s", folder, name != NULL ? name : "");
  size_t number = (size_t)map_get(&places->by_key, slice_str(key));
  if (number != 0) {
    free(key);
    places->all[number - 1].is_file |= is_file;
    return;
  }
  places->all = mem_grow(places->all, &places->cap, places->count + 1, 32, sizeof *places->all);
  places->all[places->count++] = (struct place){.key = key,
                                                .folder = mem_strdup(folder),
                                                .name = name != NULL ? mem_strdup(name) : NULL,
                                                .is_file = is_file};
  map_set(&places->by_key, slice_str(key), (void *)places->count);
}

// What is left of a path, and how far it was followed.
struct way {
  char *done;  // without links, "" at the root
  char *left;
  unsigned links;
  uint64_t hash;
};

// Takes the next name from what is left; NULL at the end. The caller frees it.
static char *next_name(struct way *way) {
  const char *at = way->left + strspn(way->left, "/");
  size_t len = strcspn(at, "/");
  if (len == 0) return NULL;
  char *name = mem_strndup(at, len);
  char *left = mem_strdup(at + len);
  free(way->left);
  way->left = left;
  return name;
}

static void take_link(struct way *way, const char *target) {
  way->hash = way_hash(way->hash, target, strlen(target) + 1);
  char *left = mem_format("%s/%s", target, way->left);
  free(way->left);
  way->left = left;
  if (*target != '/') return;
  free(way->done);
  way->done = mem_strdup("");
}

// False when the way ends here.
static bool step(struct places *places, struct way *way, const char *name) {
  if (strcmp(name, ".") == 0) return true;
  char *path = mem_format("%s/%s", way->done, name);
  struct stat info;
  bool is_there = lstat(path, &info) == 0;
  bool is_link = is_there && S_ISLNK(info.st_mode);
  if (strcmp(name, "..") != 0)
    places_add(places, *way->done != '\0' ? way->done : "/", name,
               !is_there || S_ISREG(info.st_mode));
  char target[PATH_MAX];
  ssize_t len = is_link ? readlink(path, target, sizeof target - 1) : -1;
  if (len >= 0) {
    target[len] = '\0';
    take_link(way, target);
    free(path);
    return ++way->links <= LINKS_MAX;
  }
  free(way->done);
  way->done = path;
  return is_there;
}

uint64_t way_follow(struct places *places, const char *path) {
  struct way way = {.done = mem_strdup(*path == '/' ? "" : "."),
                    .left = mem_strdup(path),
                    .hash = WAY_HASH_START};
  bool goes_on = true;
  char *name;
  while (goes_on && (name = next_name(&way)) != NULL) {
    goes_on = step(places, &way, name);
    free(name);
  }
  free(way.done);
  free(way.left);
  return way.hash;
}
