// Looking at the script directory: see scan.h.
#include "script/reload/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "script/reload/way.h"

enum {
  DEPTH_MAX = 32,
  FOLDERS_MAX = 20000,
  YOUNG_MS = 3000,  // a clock of a file system may stand still for so long
};

// A folder on the way of the walk down to where it is.
struct level {
  const struct level *above;
  dev_t device;
  ino_t inode;
  const char *path, *shown;
  uint64_t links;
  bool runs, is_library;
  int depth;
};

// ---- the directory -------------------------------------------------------------

// $PWD, if it is true, still has the links that getcwd has followed.
static char *working_directory(void) {
  const char *logical = getenv("PWD");  // NOLINT(concurrency-mt-unsafe): before threads start
  struct stat here, there;
  if (logical != NULL && *logical == '/' && stat(".", &here) == 0 && stat(logical, &there) == 0 &&
      here.st_dev == there.st_dev && here.st_ino == there.st_ino)
    return mem_strdup(logical);
  char path[PATH_MAX];
  // Who may not pass the folders above it can still start from it.
  bool is_usable = getcwd(path, sizeof path) != NULL && *path == '/' && stat(path, &here) == 0;
  return mem_strdup(is_usable ? path : ".");
}

char *scan_absolute(const char *dir) {
  // Where the process was started, though it may have been moved or removed since.
  static char *start;
  if (start == NULL) start = working_directory();
  return *dir == '/' ? mem_strdup(dir) : mem_format("%s/%s", start, dir);
}

// ---- files ---------------------------------------------------------------------

// A failure that says nothing of the file.
static void note_shortage(struct scan *scan, int error) {
  scan->is_incomplete |= error == EMFILE || error == ENFILE || error == ENOMEM;
}

static uint64_t hash_content(struct scan *scan, const char *path) {
  struct buf content = {0};
  uint64_t hash = 0;
  errno = 0;
  if (file_read(path, SCAN_FILE_MAX, &content) == NULL)
    hash = way_hash(WAY_HASH_START, content.data, content.end);
  else
    note_shortage(scan, errno);
  buf_free(&content);
  return hash;
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

// A name may have a line break, which would look like another line of the log.
static char *show(const struct level *folder, const char *name) {
  char *shown = mem_format("%s/%s", folder->shown, name);
  for (char *at = shown; *at != '\0'; at++) {
    if ((unsigned char)*at < ' ' || *at == 0x7f) *at = '?';
  }
  return shown;
}

// What is known of it already, or is read now. A young file is read again: two writes
// within one tick of the file system's clock leave the same times.
static void complete_file(struct scan *scan, struct scan_file *file) {
  const struct scan_file *before = scan->before != NULL ? scan_find(scan->before, file) : NULL;
  bool is_known = before != NULL && before->failure == file->failure &&
                  before->links == file->links && is_same(&before->info, &file->info);
  file->seen_ms = is_known ? before->seen_ms : scan->now_ms;
  file->own_loads = before != NULL ? before->own_loads : 0;
  if (!file->is_script || file->failure != 0) return;
  if (is_known && scan->now_ms - before->seen_ms > YOUNG_MS) {
    file->content = before->content;
    return;
  }
  file->content = hash_content(scan, file->path);
  if (is_known && file->content != before->content) file->seen_ms = scan->now_ms;
}

static void add_file(struct scan *scan, const struct level *folder, const char *name,
                     const struct scan_file *found) {
  scan->files =
      mem_grow(scan->files, &scan->file_cap, scan->file_count + 1, 32, sizeof *scan->files);
  struct scan_file *file = &scan->files[scan->file_count++];
  *file = *found;
  const struct level *root = folder;
  while (root->above != NULL) root = root->above;
  file->path = mem_format("%s/%s", folder->path, name);
  file->relative = file->path + strlen(root->path) + 1;
  file->shown = show(folder, name);
  complete_file(scan, file);
}

static void add_note(struct scan *scan, char *text) {
  scan->notes =
      mem_grow(scan->notes, &scan->note_cap, scan->note_count + 1, 8, sizeof *scan->notes);
  scan->notes[scan->note_count++] = text;
}

static void note_unseen(struct scan *scan, const struct level *folder, const char *name,
                        int failure) {
  char *shown = show(folder, name);
  add_note(scan, mem_format("cannot look at %s: %s: left out", shown, error_text(failure)));
  note_shortage(scan, failure);
  free(shown);
}

// ---- the walk ------------------------------------------------------------------

static void walk(struct scan *scan, const struct level *folder);

bool scan_is_script_name(const char *name) {
  size_t len = strlen(name);
  return len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

static bool leads_back(const struct level *folder, const struct stat *info) {
  for (; folder != NULL; folder = folder->above) {
    if (folder->device == info->st_dev && folder->inode == info->st_ino) return true;
  }
  return false;
}

static void enter(struct scan *scan, const struct level *folder, const char *name, const char *path,
                  const struct scan_file *found) {
  const struct stat *info = &found->info;
  char *shown = show(folder, name);
  struct level below = {.above = folder,
                        .device = info->st_dev,
                        .inode = info->st_ino,
                        .path = path,
                        .shown = shown,
                        .links = found->links,
                        .runs = found->runs,
                        .is_library = folder->is_library,
                        .depth = folder->depth + 1};
  if (leads_back(folder, info))
    add_note(scan, mem_format("%s leads back to a folder above it: not followed", shown));
  else if (below.depth > DEPTH_MAX)
    add_note(scan,
             mem_format("%s is more than %d folders deep: not looked into", shown, DEPTH_MAX));
  else
    walk(scan, &below);
  free(shown);
}

// What a name is, at the end of all links. False, and a note unless it has vanished since it was
// listed, if that cannot be told: its path is too long, or its disk fails.
static bool find(struct scan *scan, const struct level *folder, const char *name, const char *path,
                 struct scan_file *found) {
  *found = (struct scan_file){.is_script = scan_is_script_name(name),
                              .is_library = folder->is_library,
                              .runs = folder->runs && name[0] != '_',
                              .links = folder->links};
  if (lstat(path, &found->info) != 0) {
    if (errno != ENOENT) note_unseen(scan, folder, name, errno);
    return false;
  }
  if (S_ISLNK(found->info.st_mode)) {
    found->links = way_follow(&scan->places, path);
    found->is_link = true;
    if (stat(path, &found->info) != 0) {
      found->failure = errno;
      found->info = (struct stat){0};
    }
  }
  return true;
}

static bool is_mounted(const char *path) {
  struct statx info;
  return statx(AT_FDCWD, path, 0, STATX_TYPE, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// A script may be written by another name, in a folder that is not watched.
static bool has_other_names(const struct level *folder, const char *path, const struct stat *info) {
  return info->st_nlink > 1 || info->st_dev != folder->device || is_mounted(path);
}

static void look_at(struct scan *scan, const struct level *folder, const char *name) {
  char *path = mem_format("%s/%s", folder->path, name);
  struct scan_file found;
  if (!find(scan, folder, name, path, &found)) {
    free(path);
    return;
  }
  mode_t mode = found.info.st_mode;
  if (S_ISDIR(mode)) {
    enter(scan, folder, name, path, &found);
  } else if (found.is_script && found.failure == 0 && !S_ISREG(mode)) {
    char *shown = show(folder, name);
    add_note(scan, mem_format("%s is %s, not a file: not loaded", shown, file_kind(mode)));
    free(shown);
  } else if (found.is_script) {
    if (found.failure == 0 && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
      found.failure = errno;
    if (has_other_names(folder, path, &found.info)) places_add(&scan->places, path, NULL, true);
    add_file(scan, folder, name, &found);
  } else if (found.is_link) {
    found.info = (struct stat){0};  // only where it leads counts
    found.failure = 0;
    add_file(scan, folder, name, &found);
  }
  free(path);
}

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

// Who may not read a folder may not watch it. That this has changed is a change in the folder
// above, unless a link led here.
static bool is_shut(const struct level *folder, int failure) {
  return failure == EACCES && folder->above != NULL && folder->links == folder->above->links;
}

// The names in a folder. One that can be listed but not searched (chmod a-x) is as good as shut:
// nothing in it can be opened.
static int list(const char *path, struct dirent ***entries) {
  if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) return -1;
  return scandir(path, entries, not_hidden, by_name);
}

static void walk(struct scan *scan, const struct level *folder) {
  if (scan->error == NULL && ++scan->folder_count > FOLDERS_MAX) {
    scan->error = mem_format("%s: too many folders: more than %d are not looked into",
                             folder->shown, FOLDERS_MAX);
  }
  if (scan->error != NULL) return;
  struct dirent **entries;
  int count = list(folder->path, &entries);
  int failure = count < 0 ? errno : 0;
  note_shortage(scan, failure);
  if (!is_shut(folder, failure)) places_add(&scan->places, folder->path, NULL, false);
  if (count < 0 && (folder->above == NULL || error_is_transient(failure))) {
    scan->failure = failure;
    scan->error = mem_format("cannot read %s: %s", folder->shown, error_text(failure));
  } else if (count < 0)
    add_note(scan, mem_format("cannot read the folder %s: %s: not looked into", folder->shown,
                              error_text(failure)));
  for (int i = 0; i < count; i++) {
    look_at(scan, folder, entries[i]->d_name);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
}

// The path without slashes at its end.
static char *trim(char *path) {
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] == '/') path[--len] = '\0';
  return path;
}

static void index_files(struct scan *scan) {
  for (size_t i = 0; i < scan->file_count; i++)
    map_set(&scan->by_relative[scan->files[i].is_library], slice_str(scan->files[i].relative),
            &scan->files[i]);
}

static void look_into(struct scan *scan, const char *dir, bool is_library) {
  char *path = trim(scan_absolute(dir)), *shown = trim(mem_strdup(dir));
  struct level root = {.path = path, .shown = shown, .runs = !is_library, .is_library = is_library};
  root.links = way_follow(&scan->places, path);
  struct stat info;
  if (stat(path, &info) == 0) {
    root.device = info.st_dev;
    root.inode = info.st_ino;
    walk(scan, &root);
  } else if (scan->error == NULL) {
    scan->failure = errno;
    scan->error = mem_format("cannot read %s: %s", shown, error_text(errno));
  }
  free(path);
  free(shown);
}

struct scan *scan_new(const char *dir, const char *lua_path, const struct scan *before) {
  struct scan *scan = mem_zalloc(sizeof *scan);
  scan->now_ms = clock_mono_ms();
  scan->before = before;
  for (size_t i = 0; i < 2; i++) map_init(&scan->by_relative[i]);
  places_init(&scan->places);
  look_into(scan, dir, false);
  if (lua_path != NULL) look_into(scan, lua_path, true);
  index_files(scan);
  scan->before = NULL;
  return scan;
}

void scan_free(struct scan *scan) {
  if (scan == NULL) return;
  for (size_t i = 0; i < scan->file_count; i++) {
    free(scan->files[i].path);
    free(scan->files[i].shown);
  }
  for (size_t i = 0; i < scan->note_count; i++) free(scan->notes[i]);
  free(scan->files);
  free(scan->notes);
  free(scan->error);
  for (size_t i = 0; i < 2; i++) map_free(&scan->by_relative[i]);
  places_free(&scan->places);
  free(scan);
}

const struct scan_file *scan_find(const struct scan *scan, const struct scan_file *file) {
  return map_get(&scan->by_relative[file->is_library], slice_str(file->relative));
}

uint64_t scan_hash(const struct scan *scan) {
  uint64_t hash = WAY_HASH_START;
  for (size_t i = 0; i < scan->file_count; i++) {
    const struct scan_file *file = &scan->files[i];
    hash = way_hash(hash, file->relative, strlen(file->relative) + 1);
    hash = way_hash(hash, &file->links, sizeof file->links);
    hash = way_hash(hash, &file->content, sizeof file->content);
    hash = way_hash(hash, &file->failure, sizeof file->failure);
  }
  return hash;
}
