// One look at the script directory, and at the folder that the framework comes from (lua_path):
// the files that a load would read, in the order they are run, and every folder and name on
// whose change this list depends. Links are followed one by one, as the kernel does, so that the
// swap of any of them is seen.
// Nothing is opened but regular files, and nothing waits.
#ifndef TIDEGATE_SCRIPT_RELOAD_SCAN_H
#define TIDEGATE_SCRIPT_RELOAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/map.h"
#include "script/reload/way.h"

enum { SCAN_FILE_MAX = 16 * 1024 * 1024 };  // bytes of a script

struct scan_file {
  char *path;            // to open it
  const char *relative;  // the end of path: "demo/chat.lua"
  char *shown;           // as messages show it: "scripts/demo/chat.lua", '?' for what is no text
  bool is_script;        // a *.lua; else a link to something else, which is only compared
  bool is_library;       // of lua_path, and not of the script directory
  bool is_link;
  bool runs;            // when a generation loads: neither it nor a folder above it has a '_' in
                        // front, and it is not of lua_path
  int failure;          // an errno: it is there and cannot be read, or leads nowhere
  struct stat info;     // of the file at the end of all links
  uint64_t links;       // hash of the links on the way
  uint64_t content;     // hash of its bytes
  uint64_t seen_ms;     // when it was first seen like this, by the monotonic clock
  uint64_t missing_ms;  // for the watch: since when it has not been there; 0: it is
  unsigned own_loads;   // for the watch: loads in a row during which it changed
};

struct scan {
  struct scan_file *files;
  size_t file_count, file_cap;
  struct map by_relative[2];  // of files; the second of those of lua_path
  struct places places;
  char **notes;  // one line each: what is there and is not loaded
  size_t note_count, note_cap;
  char *error;         // NULL, or why there is no list of scripts
  int failure;         // the errno of that, or 0
  bool is_incomplete;  // descriptors or memory ran out: what is not in it may be there
  // Of the walk.
  size_t folder_count;
  uint64_t now_ms;
  const struct scan *before;
};

// Looks at dir, and at lua_path unless it is NULL. `before`, which may be NULL, is an earlier
// look at them: files that are the same since then are not read again. The caller frees the
// result.
struct scan *scan_new(const char *dir, const char *lua_path, const struct scan *before);
void scan_free(struct scan *scan);  // NULL is ignored

bool scan_is_script_name(const char *name);  // *.lua

// The file of the same name, of the same folder, in another look; NULL if there is none.
const struct scan_file *scan_find(const struct scan *scan, const struct scan_file *file);

// Tells apart what a load would read: names, links and contents.
uint64_t scan_hash(const struct scan *scan);

// The path of dir for as long as the process lives: an absolute one that keeps its links,
// from the working directory of the first call on. The caller frees it.
char *scan_absolute(const char *dir);

#endif
