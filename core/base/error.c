// The one place that calls strerror, which POSIX lets share a buffer between threads.
// It does not in glibc (since 2.32) and musl.
#include "base/error.h"

#include <errno.h>
#include <string.h>

// NOLINTNEXTLINE(concurrency-mt-unsafe): see above
const char *error_text(int error) { return strerror(error); }

bool error_is_transient(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == ESTALE;
}
