// What a changed config.lua means: see config_change.h.
#include "script/reload/config_change.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/reload/config_file.h"
#include "script/reload/source.h"

struct config_change {
  const char *dir;
  const struct config *running;
  struct buf seen;  // the text, or why there is none
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

struct config_change *config_change_new(const char *dir, const struct config *running) {
  struct config_change *change = mem_zalloc(sizeof *change);
  *change = (struct config_change){.dir = dir, .running = running, .seen = read_now(dir)};
  return change;
}

void config_change_free(struct config_change *change) {
  buf_free(&change->seen);
  free(change);
}

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

static void look(const struct config_change *change) {
  struct config file;
  config_init(&file);
  char *path = config_file_path(change->dir);
  char *error = config_file_apply(&file, change->dir);
  struct buf restart = {0}, overridden = {0};
  if (error == NULL) {
    compare(change->running, &file, &restart, &overridden);
    report(path, &restart, &overridden);
  } else {
    log_error("%s; the server keeps the settings that it has", error);
  }
  buf_free(&restart);
  buf_free(&overridden);
  free(error);
  free(path);
  config_free(&file);
}

void config_change_look(struct config_change *change) {
  struct buf now = read_now(change->dir);
  bool is_same = buf_len(&now) == buf_len(&change->seen) &&
                 slice_equal(buf_slice(&now), buf_slice(&change->seen));
  buf_free(&change->seen);
  change->seen = now;
  if (!is_same) look(change);
}
