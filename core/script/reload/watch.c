// Watching a folder tree: see watch.h. inotify watches single folders, so there
// is one handle per folder, and new folders are looked for after each change.
#include "script/reload/watch.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

enum {
  DEPTH_MAX = 16,
  EMPTY_S = 2,  // so old an empty file is meant to be empty
};

struct folder {
  uv_fs_event_t event;
  struct list link;
  struct watch *watch;
  char *path;
  bool is_seen;
};

struct watch {
  uv_loop_t *loop;
  uv_timer_t timer;
  struct list folders;
  char *dir;
  uint64_t debounce_ms;
  bool is_being_written;
  void (*on_change)(void *arg);
  void *arg;
};

static void on_folder_closed(uv_handle_t *handle) {
  struct folder *folder = list_entry((uv_fs_event_t *)handle, struct folder, event);
  free(folder->path);
  free(folder);
}

static void close_folder(struct folder *folder) {
  list_remove(&folder->link);
  uv_close((uv_handle_t *)&folder->event, on_folder_closed);
}

static bool is_ignored(const char *name) {
  size_t len = strlen(name);
  return name[0] == '.' || (len > 0 && name[len - 1] == '~');
}

static void on_quiet(uv_timer_t *timer);

static void on_event(uv_fs_event_t *event, const char *name, int events, int status) {
  struct watch *watch = list_entry(event, struct folder, event)->watch;
  (void)events;
  if (status < 0 || (name != NULL && is_ignored(name))) return;
  uv_timer_start(&watch->timer, on_quiet, watch->debounce_ms, 0);
}

static struct folder *find_folder(struct watch *watch, const char *path) {
  for (struct list *node = watch->folders.next; node != &watch->folders; node = node->next) {
    struct folder *folder = list_entry(node, struct folder, link);
    if (strcmp(folder->path, path) == 0) return folder;
  }
  return NULL;
}

static void watch_folder(struct watch *watch, const char *path) {
  struct folder *folder = find_folder(watch, path);
  if (folder == NULL) {
    folder = mem_zalloc(sizeof *folder);
    folder->watch = watch;
    folder->path = mem_strdup(path);
    uv_fs_event_init(watch->loop, &folder->event);
    list_append(&watch->folders, &folder->link);
    int failure = uv_fs_event_start(&folder->event, on_event, path, 0);
    if (failure != 0) log_warn("cannot watch %s: %s", path, uv_strerror(failure));
  }
  folder->is_seen = true;
}

// Who saves in place empties the file first, and on a busy machine writes it a while
// later: without it, its routes would be gone in between, and their sessions ended.
static bool is_being_written(const struct stat *info) {
  double age_s = clock_wall_s() - (double)info->st_mtim.tv_sec;
  return S_ISREG(info->st_mode) && info->st_size == 0 && age_s >= 0 && age_s < EMPTY_S;
}

static void scan(struct watch *watch, const char *path, int depth) {
  watch_folder(watch, path);
  DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
  if (dir == NULL) return;
  struct dirent *entry;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread reads this stream
  while ((entry = readdir(dir)) != NULL) {
    if (is_ignored(entry->d_name)) continue;
    char *below = mem_format("%s/%s", path, entry->d_name);
    struct stat info;
    bool is_there = stat(below, &info) == 0;
    if (is_there && S_ISDIR(info.st_mode)) scan(watch, below, depth + 1);
    if (is_there && is_being_written(&info)) watch->is_being_written = true;
    free(below);
  }
  closedir(dir);
}

static void rescan(struct watch *watch) {
  for (struct list *node = watch->folders.next; node != &watch->folders; node = node->next) {
    list_entry(node, struct folder, link)->is_seen = false;
  }
  watch->is_being_written = false;
  scan(watch, watch->dir, 0);
  struct list *node = watch->folders.next;
  while (node != &watch->folders) {
    struct folder *folder = list_entry(node, struct folder, link);
    node = node->next;
    if (!folder->is_seen) close_folder(folder);
  }
}

static void on_quiet(uv_timer_t *timer) {
  struct watch *watch = timer->data;
  // First the watches, then the files: what changes in between is noticed.
  rescan(watch);
  if (watch->is_being_written) {
    log_debug("a file was just emptied: waiting for what is written to it");
    uv_timer_start(timer, on_quiet, watch->debounce_ms, 0);
    return;
  }
  watch->on_change(watch->arg);
}

struct watch *watch_start(uv_loop_t *loop, const char *dir, uint64_t debounce_ms,
                          void (*on_change)(void *arg), void *arg) {
  struct watch *watch = mem_zalloc(sizeof *watch);
  *watch =
      (struct watch){.loop = loop, .debounce_ms = debounce_ms, .on_change = on_change, .arg = arg};
  watch->dir = mem_strdup(dir);
  list_init(&watch->folders);
  uv_timer_init(loop, &watch->timer);
  watch->timer.data = watch;
  rescan(watch);
  return watch;
}

static void on_timer_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  free(watch->dir);
  free(watch);
}

void watch_stop(struct watch *watch) {
  while (!list_is_empty(&watch->folders))
    close_folder(list_entry(watch->folders.next, struct folder, link));
  uv_close((uv_handle_t *)&watch->timer, on_timer_closed);
}
