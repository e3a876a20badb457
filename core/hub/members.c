// The members of a topic: see members.h.
#include "hub/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { CHUNK_MIN = 4 };

// Whoever finds with the lock held that it has the only reference may change a chunk: only
// with the lock held do others get one.
struct member_chunk {
  atomic_uint refs;
  uint32_t used;                    // places taken so far, also by those that have gone since
  struct member_record *records[];  // one reference each; NULL: it has gone
};

struct member_page {
  struct list link;
  struct member_chunk *chunk;
  uint32_t cap;
  uint32_t count;  // that are there
};

// ---- records -------------------------------------------------------------

struct member_record *member_record_new(struct slice id, struct slice info, double since) {
  struct member_record *record = mem_alloc(sizeof *record + id.len + info.len);
  atomic_init(&record->refs, 1);
  record->info_len = (uint32_t)info.len;
  record->since = since;
  record->id_len = (uint8_t)id.len;
  memcpy(record->text, id.ptr, id.len);
  if (info.len > 0) memcpy(record->text + id.len, info.ptr, info.len);
  return record;
}

// Whether this was the last reference.
static bool drop_ref(atomic_uint *refs) {
  return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

void member_record_unref(struct member_record *record) {
  if (record != NULL && drop_ref(&record->refs)) free(record);
}

// ---- chunks --------------------------------------------------------------

static size_t chunk_bytes(uint32_t cap) {
  return sizeof(struct member_chunk) + cap * sizeof(struct member_record *);
}

static struct member_chunk *chunk_new(uint32_t cap) {
  struct member_chunk *chunk = mem_zalloc(chunk_bytes(cap));
  atomic_init(&chunk->refs, 1);
  return chunk;
}

static void chunk_unref(struct member_chunk *chunk) {
  if (!drop_ref(&chunk->refs)) return;
  for (uint32_t i = 0; i < chunk->used; i++) member_record_unref(chunk->records[i]);
  free(chunk);
}

static struct member_chunk *chunk_copy(const struct member_chunk *chunk, uint32_t cap) {
  struct member_chunk *copy = chunk_new(cap);
  copy->used = chunk->used;
  for (uint32_t i = 0; i < chunk->used; i++) {
    copy->records[i] = chunk->records[i];
    if (copy->records[i] != NULL)
      atomic_fetch_add_explicit(&copy->records[i]->refs, 1, memory_order_relaxed);
  }
  return copy;
}

// The page's chunk, to be changed, with room for `needed` places.
static struct member_chunk *chunk_to_change(struct member_page *page, uint32_t needed) {
  uint32_t cap = page->cap;
  while (cap < needed) cap *= 2;
  bool is_shared = atomic_load_explicit(&page->chunk->refs, memory_order_acquire) > 1;
  if (is_shared) {
    struct member_chunk *copy = chunk_copy(page->chunk, cap);
    chunk_unref(page->chunk);
    page->chunk = copy;
  } else if (cap > page->cap) {
    page->chunk = mem_realloc(page->chunk, chunk_bytes(cap));
  }
  page->cap = cap;
  return page->chunk;
}

// ---- pages ---------------------------------------------------------------

void members_init(struct members *members) {
  list_init(&members->pages);
  members->page_count = 0;
}

static void page_free(struct members *members, struct member_page *page) {
  list_remove(&page->link);
  chunk_unref(page->chunk);
  free(page);
  members->page_count--;
}

void members_free(struct members *members) {
  for (struct list *link; (link = list_pop(&members->pages)) != NULL;)
    page_free(members, list_entry(link, struct member_page, link));
}

static struct member_page *page_with_room(struct members *members) {
  if (!list_is_empty(&members->pages)) {
    struct member_page *last = list_entry(members->pages.prev, struct member_page, link);
    if (last->chunk->used < MEMBERS_CHUNK) return last;
  }
  struct member_page *page = mem_zalloc(sizeof *page);
  page->cap = CHUNK_MIN;
  page->chunk = chunk_new(page->cap);
  list_append(&members->pages, &page->link);
  members->page_count++;
  return page;
}

struct member_place members_add(struct members *members, struct member_record *record) {
  struct member_page *page = page_with_room(members);
  struct member_chunk *chunk = chunk_to_change(page, page->chunk->used + 1);
  struct member_place place = {page, chunk->used++};
  chunk->records[place.index] = record;
  page->count++;
  return place;
}

void members_replace(struct member_place place, struct member_record *record) {
  struct member_chunk *chunk = chunk_to_change(place.page, 0);
  member_record_unref(chunk->records[place.index]);
  chunk->records[place.index] = record;
}

void members_remove(struct members *members, struct member_place place) {
  if (--place.page->count == 0) {
    page_free(members, place.page);
  } else {
    members_replace(place, NULL);
  }
}

// ---- snapshots -----------------------------------------------------------

struct member_snapshot members_share(const struct members *members) {
  struct member_snapshot snapshot = {0};
  if (members->page_count == 0) return snapshot;
  snapshot.chunks = mem_alloc(members->page_count * sizeof *snapshot.chunks);
  const struct list *end = &members->pages;
  for (const struct list *node = end->next; node != end; node = node->next) {
    struct member_chunk *chunk = list_entry(node, struct member_page, link)->chunk;
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    snapshot.chunks[snapshot.count++] = chunk;
  }
  return snapshot;
}

void member_snapshot_each(const struct member_snapshot *snapshot,
                          void (*each)(void *arg, const struct member_record *record), void *arg) {
  for (size_t i = 0; i < snapshot->count; i++) {
    const struct member_chunk *chunk = snapshot->chunks[i];
    for (uint32_t k = 0; k < chunk->used; k++) {
      if (chunk->records[k] != NULL) each(arg, chunk->records[k]);
    }
  }
}

void member_snapshot_free(struct member_snapshot *snapshot) {
  for (size_t i = 0; i < snapshot->count; i++) chunk_unref(snapshot->chunks[i]);
  free(snapshot->chunks);
  *snapshot = (struct member_snapshot){0};
}
