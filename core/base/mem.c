// Checked allocation: see mem.h.
#include "base/mem.h"

#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The log has no memory either, so this goes out at once, where stderr has room for it.
static void say_out_of_memory(size_t bytes) {
  struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
  if (poll(&room, 1, 0) == 1)
    dprintf(STDERR_FILENO, "tidegate: out of memory (%zu bytes asked for)\n", bytes);
}

static void *checked(void *ptr, size_t bytes) {
  if (ptr == NULL && bytes > 0) {
    say_out_of_memory(bytes);
    abort();
  }
  return ptr;
}

void *mem_alloc(size_t bytes) { return checked(malloc(bytes), bytes); }

void *mem_zalloc(size_t bytes) { return checked(calloc(1, bytes), bytes); }

void *mem_realloc(void *ptr, size_t bytes) { return checked(realloc(ptr, bytes), bytes); }

void *mem_grow_slowly(void *items, size_t *cap, size_t needed, size_t first, size_t item_bytes) {
  size_t wanted = *cap > 0 ? *cap * 2 : first;
  *cap = wanted > needed ? wanted : needed;
  return mem_realloc(items, *cap * item_bytes);
}

void *mem_dup(const void *ptr, size_t bytes) {
  void *copy = mem_alloc(bytes > 0 ? bytes : 1);
  if (bytes > 0) memcpy(copy, ptr, bytes);
  return copy;
}

char *mem_strndup(const char *ptr, size_t bytes) {
  char *copy = mem_alloc(bytes + 1);
  if (bytes > 0) memcpy(copy, ptr, bytes);
  copy[bytes] = '\0';
  return copy;
}

char *mem_strdup(const char *text) { return mem_strndup(text, strlen(text)); }

char *mem_format(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = NULL;
  int length = vasprintf(&text, format, args);
  va_end(args);
  return checked(length < 0 ? NULL : text, 1);
}

void *mem_pages(size_t bytes) {
  void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return checked(pages != MAP_FAILED ? pages : NULL, bytes);
}

void mem_pages_free(void *pages, size_t bytes) {
  if (bytes > 0) munmap(pages, bytes);
}

void mem_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
