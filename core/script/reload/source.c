// Reading a Lua file: see source.h.
#include "script/reload/source.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"

static struct slice script_text(struct slice text) {
  if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
    text = slice_of(text.ptr + 3, text.len - 3);
  if (text.len > 0 && text.ptr[0] == '#') {
    const char *end = memchr(text.ptr, '\n', text.len);
    size_t skip = end != NULL ? (size_t)(end - text.ptr) : text.len;
    text = slice_of(text.ptr + skip, text.len - skip);
  }
  return text;
}

static bool is_utf16(struct slice text) {
  return text.len >= 2 &&
         (memcmp(text.ptr, "\xff\xfe", 2) == 0 || memcmp(text.ptr, "\xfe\xff", 2) == 0);
}

const char *source_read(const char *path, struct buf *file, struct slice *text) {
  const char *failure = file_read(path, SOURCE_MAX, file);
  if (failure != NULL) return failure;
  struct slice all = file->data != NULL ? buf_slice(file) : slice_str("");
  errno = 0;
  if (is_utf16(all)) return "it is UTF-16, and Lua reads UTF-8";
  *text = script_text(all);
  return NULL;
}
