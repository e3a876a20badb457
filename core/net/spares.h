// A small stack of things that connections need for a moment only, kept by
// their worker for the next one: taking one is cheaper than allocating it, and
// what comes and goes does not leave holes between what stays.
#ifndef TIDEGATE_NET_SPARES_H
#define TIDEGATE_NET_SPARES_H

#include <stdbool.h>
#include <stddef.h>

enum { SPARES_MAX = 128 };

struct spares {
  size_t count;
  void *items[SPARES_MAX];
};

// The one given last, which is the warmest; NULL when there is none.
static inline void *spares_take(struct spares *spares) {
  return spares->count > 0 ? spares->items[--spares->count] : NULL;
}

// Takes over item; false when there are enough: then it is still the caller's.
static inline bool spares_give(struct spares *spares, void *item) {
  if (spares->count == SPARES_MAX) return false;
  spares->items[spares->count++] = item;
  return true;
}

#endif
