// Allocation that cannot fail: running out of memory in C aborts with one line
// on stderr. (A script's VM has its own capped allocator, in script/vm/vm.c.)
#ifndef TIDEGATE_BASE_MEM_H
#define TIDEGATE_BASE_MEM_H

#include <stddef.h>

#define MEM_RESULT __attribute__((returns_nonnull, warn_unused_result))

// Each returns memory the caller owns and releases with free(), never NULL.
MEM_RESULT void *mem_alloc(size_t bytes);                     // not zeroed
MEM_RESULT void *mem_zalloc(size_t bytes);                    // zeroed
MEM_RESULT void *mem_realloc(void *ptr, size_t bytes);        // takes over ptr
MEM_RESULT void *mem_dup(const void *ptr, size_t bytes);      // a copy
MEM_RESULT char *mem_strdup(const char *text);                // a copy
MEM_RESULT char *mem_strndup(const char *ptr, size_t bytes);  // a NUL-terminated copy
MEM_RESULT char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Makes room for `needed` items in an array that has room for *cap: returns the array,
// which may have moved, and takes over the old one. It grows to `first` items at least,
// and at least doubles, so that adding one at a time costs no more than adding all at once.
//   list->items = mem_grow(list->items, &list->cap, list->count + 1, 16, sizeof *list->items);
MEM_RESULT void *mem_grow_slowly(void *items, size_t *cap, size_t needed, size_t first,
                                 size_t item_bytes);
static inline void *mem_grow(void *items, size_t *cap, size_t needed, size_t first,
                             size_t item_bytes) {
  if (needed <= *cap) return items;
  return mem_grow_slowly(items, cap, needed, first, item_bytes);
}

// Zeroed pages of the system's own, for what is large and comes and goes while others wait: the
// allocator looks through all that was freed when it is asked for much, or gets much back, which
// takes milliseconds. Any whole MEM_PAGES_STEP of them may go before the rest.
enum { MEM_PAGES_STEP = 64 * 1024 };
MEM_RESULT void *mem_pages(size_t bytes);
void mem_pages_free(void *pages, size_t bytes);

// Gives freed memory back to the system, where the allocator does not by itself.
// Takes about a millisecond for each megabyte.
void mem_trim(void);

#endif
