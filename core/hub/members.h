// The members of a topic, in order of joining, such that reading them all takes no long hold
// of the hub's lock: they lie in chunks, and who reads takes a reference to each chunk with the
// lock held, and then reads without it. What is shared does not change any more. A chunk that is
// to change is copied first if anybody else refers to it.
//
// With the lock held, but for what says otherwise.
#ifndef TIDEGATE_HUB_MEMBERS_H
#define TIDEGATE_HUB_MEMBERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

// What there is to know about a member. Immutable; the last reference frees it, on any thread.
struct member_record {
  atomic_uint refs;
  uint32_t info_len;
  double since;  // seconds since 1970
  uint8_t id_len;
  char text[];  // id, then info
};

static inline struct slice member_record_id(const struct member_record *record) {
  return slice_of(record->text, record->id_len);
}
// JSON text, empty for none.
static inline struct slice member_record_info(const struct member_record *record) {
  return slice_of(record->text + record->id_len, record->info_len);
}
// With one reference. No lock needed.
struct member_record *member_record_new(struct slice id, struct slice info, double since);
void member_record_unref(struct member_record *record);

struct member_chunk;
struct member_page;

struct members {
  struct list pages;
  size_t page_count;
};

// Where a member is; what it means stays the same while others come and go.
struct member_place {
  struct member_page *page;
  uint32_t index;
};

enum { MEMBERS_CHUNK = 128 };  // members in a chunk at most

void members_init(struct members *members);
void members_free(struct members *members);

// Behind all others; takes over the reference.
struct member_place members_add(struct members *members, struct member_record *record);
// Takes over the reference.
void members_replace(struct member_place place, struct member_record *record);
void members_remove(struct members *members, struct member_place place);

// All members as they are now.
struct member_snapshot {
  struct member_chunk **chunks;  // one reference each
  size_t count;
};

struct member_snapshot members_share(const struct members *members);

// No lock needed for these.
void member_snapshot_each(const struct member_snapshot *snapshot,
                          void (*each)(void *arg, const struct member_record *record), void *arg);
void member_snapshot_free(struct member_snapshot *snapshot);

#endif
