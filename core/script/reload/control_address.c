// Names of the control socket: see control_address.h.
#include "script/reload/control_address.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/slice.h"
#include "script/reload/scan.h"

static socklen_t fill_in(struct sockaddr_un *out, const char *kind, unsigned long long where,
                         unsigned long long what) {
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  int len = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "tidegate-%s%llx-%llx", kind,
                     where, what);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

socklen_t control_address_of_folder(const char *dir, struct sockaddr_un *out) {
  struct stat info;
  if (stat(dir, &info) != 0) return 0;
  return fill_in(out, "", info.st_dev, info.st_ino);
}

socklen_t control_address_of_path(const char *dir, struct sockaddr_un *out) {
  char *path = scan_absolute(dir);
  uint64_t hash = WAY_HASH_START;
  struct slice rest = slice_str(path), name;
  bool has_more;
  do {
    has_more = slice_split(&rest, '/', &name);
    if (name.len == 0 || slice_equal(name, slice_str("."))) continue;
    hash = way_hash(hash, "/", 1);
    hash = way_hash(hash, name.ptr, name.len);
  } while (has_more);
  free(path);
  // Containers may share the network, and with it these names, but not the files.
  struct stat mounts = {0};
  stat("/proc/self/ns/mnt", &mounts);
  return fill_in(out, "path-", mounts.st_ino, hash);
}
