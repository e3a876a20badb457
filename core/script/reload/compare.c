// Comparing two scans: see compare.h.
#include "script/reload/compare.h"

#include <string.h>

enum {
  GONE_MS = 1000,      // a file that is missing for so long was removed
  ALL_GONE_MS = 5000,  // and so were all, if none is left
  EMPTY_MS = 2000,     // a file that lost its text for so long is meant to be empty
  REST_MS = 500,       // a file that rests for so long is written
  NAMED_MAX = 5,
};

enum change { SAME, CHANGED, NEW, GONE };

static bool is_saved_again(const struct stat *a, const struct stat *b) {
  return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
         a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

// Device, inode and the time of the last change of state are no reasons: some network file
// systems invent them anew, and a backup or a second name changes them.
static enum change compare_file(const struct scan_file *before, const struct scan_file *now,
                                bool only_content) {
  if (before == NULL) return NEW;
  if (now->failure != 0 && before->failure == 0) return GONE;
  if (now->failure != before->failure || now->is_script != before->is_script) return CHANGED;
  if (now->links != before->links || now->content != before->content) return CHANGED;
  return only_content || !is_saved_again(&before->info, &now->info) ? SAME : CHANGED;
}

static void note(struct comparison *result, const struct scan_file *file, enum change change,
                 uint64_t due_ms) {
  static const char *const texts[] = {[CHANGED] = "changed", [NEW] = "is new", [GONE] = "is gone"};
  const char *name = file->shown;
  if (!file->is_library) name += strlen(file->shown) - strlen(file->relative);
  if (++result->count <= NAMED_MAX)
    buf_printf(&result->text, "%s%s %s", result->count > 1 ? ", " : "", name, texts[change]);
  if (due_ms > result->due_ms) result->due_ms = due_ms;
}

// When a file that differs may be taken.
static uint64_t due_of(const struct scan_file *before, const struct scan_file *now,
                       bool is_unsure) {
  if (now->failure != 0) return now->seen_ms + GONE_MS;
  bool had_text = before != NULL && before->info.st_size > 0;
  if (now->info.st_size == 0 && had_text) return now->seen_ms + EMPTY_MS;
  return is_unsure ? now->seen_ms + REST_MS : 0;
}

static bool has_scripts(const struct scan *scan, bool is_library) {
  for (size_t i = 0; i < scan->file_count; i++) {
    const struct scan_file *file = &scan->files[i];
    if (file->is_library == is_library && file->is_script && file->failure == 0 &&
        strcmp(file->relative, "config.lua") != 0)
      return true;
  }
  return false;
}

static void note_missing(struct comparison *result, struct scan *loaded, const struct scan *now) {
  uint64_t wait_ms[2];  // in the script directory, and in lua_path
  for (int i = 0; i < 2; i++)
    wait_ms[i] = has_scripts(now, i) || !has_scripts(loaded, i) ? GONE_MS : ALL_GONE_MS;
  for (size_t i = 0; i < loaded->file_count; i++) {
    struct scan_file *file = &loaded->files[i];
    bool is_missing = scan_find(now, file) == NULL;
    if (!is_missing) file->missing_ms = 0;
    if (!is_missing) continue;
    if (file->missing_ms == 0) file->missing_ms = now->now_ms;
    note(result, file, GONE, file->missing_ms + wait_ms[file->is_library]);
  }
}

struct comparison compare_scans(struct scan *loaded, const struct scan *now, bool only_content,
                                bool is_unsure) {
  struct comparison result = {0};
  for (size_t i = 0; i < now->file_count; i++) {
    const struct scan_file *file = &now->files[i];
    const struct scan_file *before = scan_find(loaded, file);
    enum change change = compare_file(before, file, only_content);
    if (change != SAME) note(&result, file, change, due_of(before, file, is_unsure));
  }
  note_missing(&result, loaded, now);
  // The load failed for what is no script: too many folders.
  if (result.count == 0 && loaded->error != NULL && now->error == NULL && has_scripts(now, false)) {
    result.count = 1;
    buf_printf(&result.text, "they can be read again");
  }
  if (result.count > NAMED_MAX) buf_printf(&result.text, ", %zu more", result.count - NAMED_MAX);
  if (result.count > 0) buf_append_char(&result.text, '\0');
  return result;
}

unsigned compare_count_loads(const struct scan *loaded, struct scan *now, unsigned in_a_row) {
  unsigned fewest = in_a_row;
  for (size_t i = 0; i < now->file_count; i++) {
    struct scan_file *file = &now->files[i];
    const struct scan_file *before = scan_find(loaded, file);
    enum change change = compare_file(before, file, true);
    // Of new names, the load before may have made others.
    if (change == NEW)
      file->own_loads = in_a_row;
    else
      file->own_loads = change == SAME ? 0 : before->own_loads + 1;
    if (change != SAME && file->own_loads < fewest) fewest = file->own_loads;
  }
  return fewest;
}
