// What a changed config.lua means: see config_change.h.
#include "script/reload/config_change.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "script/reload/config_file.h"
#include "script/reload/source.h"

enum { LATE_MS = 10000 };  // a file that has run for so long is named

// One run of the file. It may never end (a pattern that backtracks, a program that it starts),
// so it has a thread of its own. The last of the two that hold it frees it.
struct run {
  pthread_mutex_t lock;
  struct config_change *change;  // NULL: nobody waits for it any more
  bool is_over;
  char *dir;
  uint64_t time_ms;  // what it may take
  struct config file;
  char *error;
};

struct config_change {
  const char *dir;
  const struct config *running;
  struct buf seen;  // the text, or why there is none
  struct run *run;  // under way; NULL: none
  bool is_wanted;   // the file has changed again meanwhile
  uv_async_t over;
  uv_timer_t late;
  int handles;  // that are not closed
};

static struct buf read_now(const char *dir) {
  char *path = config_file_path(dir);
  struct buf file = {0};
  struct slice text = {0};
  struct stat info;
  const char *failure = lstat(path, &info) == 0 ? source_read(path, &file, &text) : "";
  if (failure != NULL) {
    buf_free(&file);
    file = (struct buf){0};
    buf_append_slice(&file, slice_str(failure));
  }
  free(path);
  return file;
}

// ---- what it says ----------------------------------------------------------

static void add(struct buf *list, const char *name, const char *detail) {
  buf_printf(list, "%s%s%s", buf_len(list) > 0 ? ", " : "", name, detail);
}

// What differs, by whether the file decides it.
static void compare(const struct config *running, const struct config *file, struct buf *restart,
                    struct buf *overridden) {
  for (size_t i = 0; i < config_key_count; i++) {
    const struct config_key *key = &config_keys[i];
    if (config_is_same(running, file, key)) continue;
    switch (config_layer_of(running, key)) {
      case CONFIG_FLAG:
        if (config_layer_of(file, key) == CONFIG_FILE) add(overridden, key->name, " (by a flag)");
        break;
      case CONFIG_ENVIRONMENT:
        if (config_layer_of(file, key) == CONFIG_FILE)
          add(overridden, key->name, " (by the environment)");
        break;
      default:
        add(restart, key->name, "");
    }
  }
}

static void report(const char *path, const struct buf *restart, const struct buf *overridden) {
  struct slice changed = buf_slice(restart), kept = buf_slice(overridden);
  if (changed.len > 0)
    log_warn("%s: settings are read at the start: restart the server to change %.*s", path,
             (int)changed.len, changed.ptr);
  if (kept.len > 0)
    log_warn("%s: overridden, also after a restart: %.*s", path, (int)kept.len, kept.ptr);
  if (changed.len + kept.len == 0) log_info("%s has changed, but no setting in it", path);
}

static void tell(const struct config_change *change, const struct run *run) {
  if (run->error != NULL) {
    log_error("%s; the server keeps the settings that it has", run->error);
    return;
  }
  struct buf restart = {0}, overridden = {0};
  char *path = config_file_path(change->dir);
  compare(change->running, &run->file, &restart, &overridden);
  report(path, &restart, &overridden);
  free(path);
  buf_free(&restart);
  buf_free(&overridden);
}

// ---- running it ------------------------------------------------------------

static void free_run(struct run *run) {
  pthread_mutex_destroy(&run->lock);
  config_free(&run->file);
  free(run->error);
  free(run->dir);
  free(run);
}

static void *run_file(void *arg) {
  struct run *run = arg;
  number_plain_thread();
  run->error = config_file_apply(&run->file, run->dir, run->time_ms);
  pthread_mutex_lock(&run->lock);
  run->is_over = true;
  bool is_waited_for = run->change != NULL;
  if (is_waited_for) uv_async_send(&run->change->over);
  pthread_mutex_unlock(&run->lock);
  if (!is_waited_for) free_run(run);
  return NULL;
}

// False, with errno, when there is no thread.
static bool start_thread(struct run *run) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, run_file, run);
  if (errno == 0) pthread_detach(thread);
  return errno == 0;
}

static void on_late(uv_timer_t *timer) {
  const struct config_change *change = timer->data;
  log_error("%s/config.lua has run for %d s: what it would change is not known", change->dir,
            LATE_MS / 1000);
}

static void start_run(struct config_change *change) {
  struct run *run = mem_zalloc(sizeof *run);
  *run = (struct run){.change = change,
                      .dir = mem_strdup(change->dir),
                      .time_ms = change->running->handler_time_ms};
  pthread_mutex_init(&run->lock, NULL);
  config_init(&run->file);
  if (!start_thread(run)) {
    log_error("%s/config.lua has changed, but no thread can read it: %s", change->dir,
              error_text(errno));
    free_run(run);
    return;
  }
  change->run = run;
  uv_timer_start(&change->late, on_late, LATE_MS, 0);
}

static bool is_over(struct run *run) {
  pthread_mutex_lock(&run->lock);
  bool over = run->is_over;
  pthread_mutex_unlock(&run->lock);
  return over;
}

static void on_over(uv_async_t *async) {
  struct config_change *change = async->data;
  if (change->run == NULL || !is_over(change->run)) return;
  uv_timer_stop(&change->late);
  if (!change->is_wanted) tell(change, change->run);  // else it is old
  free_run(change->run);
  change->run = NULL;
  if (change->is_wanted) start_run(change);
  change->is_wanted = false;
}

void config_change_look(struct config_change *change) {
  struct buf now = read_now(change->dir);
  bool is_same = buf_len(&now) == buf_len(&change->seen) &&
                 slice_equal(buf_slice(&now), buf_slice(&change->seen));
  buf_free(&change->seen);
  change->seen = now;
  if (is_same) return;
  if (change->run != NULL)
    change->is_wanted = true;
  else
    start_run(change);
}

// ---- life ------------------------------------------------------------------

struct config_change *config_change_new(uv_loop_t *loop, const char *dir,
                                        const struct config *running) {
  struct config_change *change = mem_zalloc(sizeof *change);
  *change =
      (struct config_change){.dir = dir, .running = running, .seen = read_now(dir), .handles = 2};
  uv_async_init(loop, &change->over, on_over);
  uv_timer_init(loop, &change->late);
  change->over.data = change->late.data = change;
  return change;
}

static void on_closed(uv_handle_t *handle) {
  struct config_change *change = handle->data;
  if (--change->handles > 0) return;
  buf_free(&change->seen);
  free(change);
}

static void leave_run(struct run *run) {
  pthread_mutex_lock(&run->lock);
  run->change = NULL;
  bool over = run->is_over;
  pthread_mutex_unlock(&run->lock);
  if (over) free_run(run);
}

void config_change_free(struct config_change *change) {
  if (change->run != NULL) leave_run(change->run);
  uv_close((uv_handle_t *)&change->over, on_closed);
  uv_close((uv_handle_t *)&change->late, on_closed);
}
