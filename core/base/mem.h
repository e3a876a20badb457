// Allocation that cannot fail: running out of memory in C aborts with one line
// on stderr. (A script's VM has its own capped allocator, in script/vm.c.)
#ifndef TIDEGATE_BASE_MEM_H
#define TIDEGATE_BASE_MEM_H

#include <stddef.h>

// Each returns memory the caller owns and releases with free().
void *mem_alloc(size_t bytes);                     // not zeroed
void *mem_zalloc(size_t bytes);                    // zeroed
void *mem_realloc(void *ptr, size_t bytes);        // takes over ptr
void *mem_dup(const void *ptr, size_t bytes);      // a copy
char *mem_strdup(const char *text);                // a copy
char *mem_strndup(const char *ptr, size_t bytes);  // a NUL-terminated copy
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Gives freed memory back to the system, where the allocator does not by itself.
// Takes about a millisecond for each megabyte.
void mem_trim(void);

#endif
