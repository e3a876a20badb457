// Watching places by inotify: see inotify.h. The kernel has one watch for an inode, however
// many paths lead there, so a folder here is a watch, with all names in it that count.
#include "script/reload/inotify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "script/reload/scan.h"

enum {
  NAMES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF,
  BYTES = NAMES | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB,
  ENDS_WRITING = IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM,
  WRITERS_MAX = 1000,  // whoever writes more files at once is not waited for
};

struct folder {
  int number;  // the kernel's of the watch
  char *path;
  bool is_remote;
  bool is_whole;  // all scripts, folders and links in it count
  bool is_wanted;
  bool reports_bytes;  // who writes a file there is reported, and who closes it
  char **names;        // those that count besides
  size_t name_count, name_cap;
};

struct writer {
  int folder;
  char *name;
  uint64_t since_ms;
};

struct inotify {
  uv_poll_t poll;
  int fd;
  void (*on_change)(void *arg);
  void *arg;
  struct map folders;  // by number
  struct writer *writers;
  size_t writer_count, writer_cap;
  uint32_t moved;  // the cookie of the last file that was moved away while it was written; 0: none
  char *blindness;
  bool has_lost_events;
};

static struct slice key_of(const int *number) {
  return slice_of((const char *)number, sizeof *number);
}

static struct folder *find_folder(const struct inotify *inotify, int number) {
  return map_get(&inotify->folders, key_of(&number));
}

// ---- what counts ---------------------------------------------------------------

static bool has_name(const struct folder *folder, const char *name) {
  for (size_t i = 0; i < folder->name_count; i++) {
    if (strcmp(folder->names[i], name) == 0) return true;
  }
  return false;
}

static bool find(const struct folder *folder, const char *name, struct stat *info) {
  char *path = mem_format("%s/%s", folder->path, name);
  bool is_there = lstat(path, info) == 0;
  free(path);
  return is_there;
}

static bool is_link(const struct folder *folder, const char *name) {
  struct stat info;
  return find(folder, name, &info) && S_ISLNK(info.st_mode);
}

static bool counts(const struct folder *folder, const char *name, uint32_t mask) {
  if (*name == '\0') return folder->is_whole || (mask & NAMES) == 0;
  if (has_name(folder, name)) return true;
  if (!folder->is_whole || *name == '.') return false;
  if (scan_is_script_name(name) || (mask & IN_ISDIR) != 0) return true;
  return (mask & (IN_CREATE | IN_MOVED_TO)) != 0 && is_link(folder, name);
}

// ---- files that are being written ----------------------------------------------

// Whether a file is being written, which ends when it is closed. What unpacks an archive sets the
// time of a folder, which is reported as if bytes had been written, and never closed.
// Who creates a file has it open, though nothing may have been written yet. A second name of a
// file is created, too, and nobody will close that.
static bool is_written(const struct folder *folder, const char *name, uint32_t mask) {
  struct stat info;
  if ((mask & IN_ISDIR) != 0) return false;
  if ((mask & IN_MODIFY) != 0) return true;
  return (mask & IN_CREATE) != 0 && folder->reports_bytes && find(folder, name, &info) &&
         S_ISREG(info.st_mode) && info.st_size == 0 && info.st_nlink == 1;
}

static struct writer *find_writer(struct inotify *inotify, int folder, const char *name) {
  for (size_t i = 0; i < inotify->writer_count; i++) {
    struct writer *writer = &inotify->writers[i];
    if (writer->folder == folder && strcmp(writer->name, name) == 0) return writer;
  }
  return NULL;
}

static void note_writer(struct inotify *inotify, int folder, const char *name) {
  if (find_writer(inotify, folder, name) != NULL || inotify->writer_count == WRITERS_MAX) return;
  inotify->writers = mem_grow(inotify->writers, &inotify->writer_cap, inotify->writer_count + 1, 8,
                              sizeof *inotify->writers);
  inotify->writers[inotify->writer_count++] =
      (struct writer){folder, mem_strdup(name), clock_mono_ms()};
}

static void forget_writer(struct inotify *inotify, struct writer *writer) {
  if (writer == NULL) return;
  free(writer->name);
  *writer = inotify->writers[--inotify->writer_count];
}

static void forget_all_writers(struct inotify *inotify) {
  for (size_t i = 0; i < inotify->writer_count; i++) free(inotify->writers[i].name);
  inotify->writer_count = 0;
}

static void forget_writers_in(struct inotify *inotify, int folder) {
  for (size_t i = inotify->writer_count; i-- > 0;) {
    if (inotify->writers[i].folder == folder) forget_writer(inotify, &inotify->writers[i]);
  }
}

uint64_t inotify_writing_since_ms(const struct inotify *inotify) {
  uint64_t since_ms = 0;
  for (size_t i = 0; i < inotify->writer_count; i++) {
    const struct writer *writer = &inotify->writers[i];
    const struct folder *folder = find_folder(inotify, writer->folder);
    if (folder == NULL || !counts(folder, writer->name, IN_MODIFY)) continue;
    if (since_ms == 0 || writer->since_ms < since_ms) since_ms = writer->since_ms;
  }
  return since_ms;
}

// A file that is renamed keeps its writer.
static void move_writer(struct inotify *inotify, const struct folder *folder,
                        const struct inotify_event *event, const char *name) {
  if ((event->mask & IN_MOVED_FROM) != 0)
    inotify->moved = find_writer(inotify, event->wd, name) != NULL ? event->cookie : 0;
  else if ((event->mask & IN_MOVED_TO) != 0 && event->cookie == inotify->moved &&
           inotify->moved != 0 && folder->reports_bytes)
    note_writer(inotify, event->wd, name);
}

void inotify_restart_writers(struct inotify *inotify) {
  for (size_t i = 0; i < inotify->writer_count; i++) inotify->writers[i].since_ms = clock_mono_ms();
}

// ---- events --------------------------------------------------------------------

static void free_folder(struct folder *folder) {
  for (size_t i = 0; i < folder->name_count; i++) free(folder->names[i]);
  free(folder->names);
  free(folder->path);
  free(folder);
}

// Its watch has ended.
static void forget_folder(struct inotify *inotify, struct folder *folder) {
  forget_writers_in(inotify, folder->number);
  map_remove(&inotify->folders, key_of(&folder->number));
  free_folder(folder);
}

static bool take_event(struct inotify *inotify, const struct inotify_event *event) {
  if ((event->mask & IN_Q_OVERFLOW) != 0) {
    forget_all_writers(inotify);
    return inotify->has_lost_events = true;
  }
  struct folder *folder = find_folder(inotify, event->wd);
  if (folder == NULL) return false;
  const char *name = event->len > 0 ? event->name : "";
  bool is_ours = counts(folder, name, event->mask);
  // Others too: what is written under another name may be renamed before it is whole.
  if ((is_ours || (event->mask & IN_MODIFY) != 0) && is_written(folder, name, event->mask))
    note_writer(inotify, event->wd, name);
  move_writer(inotify, folder, event, name);
  if ((event->mask & ENDS_WRITING) != 0)
    forget_writer(inotify, find_writer(inotify, event->wd, name));
  if ((event->mask & IN_IGNORED) != 0) {  // the folder is gone, and its watch with it
    forget_folder(inotify, folder);
    return true;
  }
  return is_ours;
}

bool inotify_read(struct inotify *inotify) {
  _Alignas(struct inotify_event) char bytes[16384];
  bool has_changed = false;
  ssize_t got;
  while ((got = read(inotify->fd, bytes, sizeof bytes)) > 0) {
    for (char *at = bytes; at < bytes + got;) {
      const struct inotify_event *event = (const void *)at;
      has_changed |= take_event(inotify, event);
      at += sizeof *event + event->len;
    }
  }
  return has_changed;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct inotify *inotify = poll->data;
  (void)status, (void)events;
  if (inotify_read(inotify)) inotify->on_change(inotify->arg);
}

bool inotify_has_lost_events(struct inotify *inotify) {
  bool yes = inotify->has_lost_events;
  inotify->has_lost_events = false;
  return yes;
}

// ---- places --------------------------------------------------------------------

// File systems that others change, too, without this kernel noticing.
static bool is_remote(const char *path) {
  static const unsigned long types[] = {
      0x6969,     0x517b,     0xff534d42, 0xfe534d42,  // NFS, SMB, CIFS, SMB2
      0x65735546, 0x01021997,                          // FUSE and virtiofs, 9p
      0x00c36400, 0x5346414f, 0x73757245,              // Ceph, AFS, Coda
      0x0bd00bd0, 0x47504653, 0x01161970, 0x7461636f,  // Lustre, GPFS, GFS2, OCFS2
      0x786f4256, 0xbacbacbc,                          // VirtualBox, VMware
  };
  struct statfs info;
  if (statfs(path, &info) != 0) return false;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if ((unsigned long)(unsigned int)info.f_type == types[i]) return true;
  }
  return false;
}

static void note_blindness(struct inotify *inotify, const char *path, const char *why) {
  if (inotify->blindness == NULL)
    inotify->blindness = mem_format("changes in %s are not reported: %s", path, why);
}

static void note_failure(struct inotify *inotify, const char *path) {
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return;  // it went meanwhile
  note_blindness(inotify, path,
                 errno == ENOSPC ? "the limit of inotify watches (fs.inotify.max_user_watches)"
                                 : error_text(errno));
}

static struct folder *add_folder(struct inotify *inotify, int number, const char *path) {
  struct folder *folder = mem_zalloc(sizeof *folder);
  folder->number = number;
  folder->path = mem_strdup(path);
  folder->is_remote = is_remote(path);
  map_set(&inotify->folders, key_of(&folder->number), folder);
  return folder;
}

static bool follow_place(struct inotify *inotify, const struct place *place) {
  bool has_bytes = place->name == NULL || place->is_file;
  int number = inotify_add_watch(inotify->fd, place->folder,
                                 (has_bytes ? (uint32_t)BYTES : (uint32_t)NAMES) | IN_MASK_ADD);
  if (number < 0) {
    note_failure(inotify, place->folder);
    return false;
  }
  struct folder *folder = find_folder(inotify, number);
  bool is_new = folder == NULL;
  if (is_new) folder = add_folder(inotify, number, place->folder);
  folder->is_wanted = true;
  folder->reports_bytes |= has_bytes;
  if (place->name == NULL) {
    folder->is_whole |= !place->is_file;
    if (folder->is_remote)
      note_blindness(inotify, place->folder, "it is on a network or shared file system");
  } else if (!has_name(folder, place->name)) {
    folder->names = mem_grow(folder->names, &folder->name_cap, folder->name_count + 1, 4,
                             sizeof *folder->names);
    folder->names[folder->name_count++] = mem_strdup(place->name);
  }
  return is_new;
}

static void want_nothing(struct inotify *inotify) {
  size_t position = 0;
  for (struct folder *folder; (folder = map_next(&inotify->folders, &position)) != NULL;) {
    folder->is_wanted = folder->is_whole = false;
    while (folder->name_count > 0) free(folder->names[--folder->name_count]);
  }
  free(inotify->blindness);
  inotify->blindness = NULL;
}

static struct folder *find_unwanted(const struct inotify *inotify) {
  size_t position = 0;
  struct folder *folder;
  while ((folder = map_next(&inotify->folders, &position)) != NULL && folder->is_wanted) continue;
  return folder;
}

bool inotify_follow(struct inotify *inotify, const struct places *places) {
  want_nothing(inotify);
  bool has_new = false;
  for (size_t i = 0; i < places->count; i++) has_new |= follow_place(inotify, &places->all[i]);
  for (struct folder *folder; (folder = find_unwanted(inotify)) != NULL;) {
    inotify_rm_watch(inotify->fd, folder->number);
    forget_folder(inotify, folder);
  }
  return has_new;
}

const char *inotify_blindness(const struct inotify *inotify) { return inotify->blindness; }

// ---- life ----------------------------------------------------------------------

struct inotify *inotify_open(uv_loop_t *loop, void (*on_change)(void *arg), void *arg) {
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return NULL;
  struct inotify *inotify = mem_zalloc(sizeof *inotify);
  inotify->fd = fd;
  inotify->on_change = on_change;
  inotify->arg = arg;
  map_init(&inotify->folders);
  uv_poll_init(loop, &inotify->poll, fd);
  inotify->poll.data = inotify;
  uv_poll_start(&inotify->poll, UV_READABLE, on_readable);
  return inotify;
}

static void on_closed(uv_handle_t *handle) {
  struct inotify *inotify = handle->data;
  close(inotify->fd);
  size_t position = 0;
  for (struct folder *folder; (folder = map_next(&inotify->folders, &position)) != NULL;)
    free_folder(folder);
  map_free(&inotify->folders);
  forget_all_writers(inotify);
  free(inotify->writers);
  free(inotify->blindness);
  free(inotify);
}

void inotify_close(struct inotify *inotify) {
  uv_poll_stop(&inotify->poll);
  uv_close((uv_handle_t *)&inotify->poll, on_closed);
}
