// Watching the script directory: see watch.h.
//
//   still --event--> stirred --look: same----> still
//                    stirred --look: differs, may be half done--> stirred, until it is due
//                    stirred --look: differs, is done--> on_change
#include "script/reload/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "script/reload/compare.h"
#include "script/reload/inotify.h"
#include "script/reload/mounts.h"

enum {
  PUT_OFF_MS = 1000,  // further changes put a look off by so long at most
  WRITING_MS = 5000,  // the longest wait for one who writes
  OWN_LOADS_MAX = 3,  // loads in a row that may follow at once on what the one before wrote
  AT_ONCE_MAX = 10,   // and on what was changed during the one before, whatever it was
  OWN_FIRST_S = 5,    // those after wait for so long, twice as long each time
  OWN_DOUBLED_MAX = 6,
  FOLLOW_MAX = 4,  // looks in a row, while each finds folders that were not watched
};

struct watch {
  uv_timer_t timer;         // the next look
  struct inotify *inotify;  // NULL: polls
  struct mounts *mounts;    // NULL: polls, or the system does not report them
  char *dir, *lua_path;
  bool is_off;
  bool is_blind;  // has said that it polls
  bool is_short;  // has said that there are no descriptors
  uint64_t debounce_ms, interval_ms;
  void (*on_change)(void *arg);
  void *arg;
  struct scan *loaded;  // what was loaded last, or tried to
  struct scan *latest;  // what was seen last; NULL: the same
  struct scan *before;  // while scripts are read: what was loaded before
  uint64_t stirred_ms;  // since when changes have been reported and not looked at; 0: still
  uint64_t began_ms;    // stirred_ms of the change that is being read
  uint64_t looked_ms;
  uint64_t decided;    // the hash of what is to be loaded; 0: nothing is known of it
  bool is_overdue;     // what is being read is open for writing, and was waited for
  bool is_disturbed;   // something changed since the look that decided to load
  bool is_unsure;      // a file may be open without a report of it
  unsigned own_loads;  // in a row, during which files changed
  unsigned at_once;    // of these, in a row, that were followed at once
  unsigned doubled;    // loads in a row that followed on the one before alone, later
  uint64_t again_ms;   // when the last of them is followed by another; 0: none is
};

static void on_due(uv_timer_t *timer);

static void look_at(struct watch *watch, uint64_t due_ms) {
  uint64_t now_ms = clock_mono_ms();
  uv_update_time(watch->timer.loop);
  uv_timer_start(&watch->timer, on_due, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static bool polls(const struct watch *watch) {
  return watch->inotify == NULL || watch->is_blind || watch->loaded->is_incomplete;
}

// The next look when there is nothing to wait for.
static void rest(struct watch *watch) {
  watch->stirred_ms = 0;
  uv_timer_stop(&watch->timer);
  uint64_t due_ms = polls(watch) ? clock_mono_ms() + watch->interval_ms : watch->again_ms;
  if (due_ms != 0) look_at(watch, due_ms);
}

static void on_event(void *arg) {
  struct watch *watch = arg;
  uint64_t now_ms = clock_mono_ms();
  if (watch->stirred_ms == 0) watch->stirred_ms = now_ms;
  uint64_t due_ms = now_ms + watch->debounce_ms, last_ms = watch->stirred_ms + PUT_OFF_MS;
  if (due_ms > last_ms) due_ms = last_ms;
  uint64_t first_ms = watch->looked_ms + watch->debounce_ms;
  look_at(watch, due_ms > first_ms ? due_ms : first_ms);
}

// ---- looking -------------------------------------------------------------------

static void say_blindness(struct watch *watch, const char *why) {
  if (!watch->is_blind && why != NULL)
    log_info("looking for changed scripts every %g s: %s", (double)watch->interval_ms / 1000, why);
  watch->is_blind = why != NULL;
}

static void scan_once(struct watch *watch) {
  const struct scan *before = watch->latest != NULL ? watch->latest : watch->loaded;
  struct scan *scan = scan_new(watch->dir, watch->lua_path, before);
  scan_free(watch->latest);
  watch->latest = scan;
}

// Scans, watches what the scan says, and scans again where something may have gone
// unnoticed in between. True when something has changed meanwhile: who writes since then is
// known, but not all of it was seen.
static bool scan(struct watch *watch) {
  watch->looked_ms = clock_mono_ms();
  scan_once(watch);
  if (watch->inotify == NULL) {
    watch->is_unsure = true;
    return false;
  }
  if (inotify_has_lost_events(watch->inotify)) {
    log_debug("events of changed files were lost");
    watch->is_unsure = true;
  }
  for (int i = 0; i < FOLLOW_MAX && inotify_follow(watch->inotify, &watch->latest->places); i++) {
    watch->is_unsure = true;
    scan_once(watch);
  }
  say_blindness(watch, inotify_blindness(watch->inotify));
  if (watch->is_blind) watch->is_unsure = true;
  return inotify_read(watch->inotify);
}

// When what differs may be taken: 0 for now.
static uint64_t due_of(const struct watch *watch, const struct comparison *found) {
  uint64_t writing_ms = watch->inotify != NULL ? inotify_writing_since_ms(watch->inotify) : 0;
  uint64_t due_ms = found->due_ms;
  if (writing_ms != 0 && writing_ms + WRITING_MS > due_ms) due_ms = writing_ms + WRITING_MS;
  uint64_t now_ms = clock_mono_ms();
  if (due_ms > now_ms) return due_ms;
  if (writing_ms != 0)
    log_warn("a script has been open for writing for %d s: loading it as it is", WRITING_MS / 1000);
  return 0;
}

static void on_due(uv_timer_t *timer) {
  struct watch *watch = timer->data;
  bool is_stirred = scan(watch);
  bool may_wait = watch->stirred_ms == 0 || watch->looked_ms < watch->stirred_ms + PUT_OFF_MS;
  if (is_stirred && may_wait) {
    on_event(watch);
    return;
  }
  if (watch->latest->is_incomplete) {
    if (!watch->is_short)
      log_warn("the scripts cannot be looked at for lack of descriptors or memory: trying again");
    watch->is_short = true;
    look_at(watch, watch->looked_ms + watch->interval_ms);
    return;
  }
  watch->is_short = false;
  struct comparison found = compare_scans(watch->loaded, watch->latest, false, watch->is_unsure);
  uint64_t due_ms = found.count > 0 ? due_of(watch, &found) : 0;
  bool is_again = watch->again_ms != 0 && watch->looked_ms >= watch->again_ms;
  if (found.count == 0 && !is_again) {
    watch->is_unsure = false;
    rest(watch);
    if (is_stirred) on_event(watch);
  } else if (due_ms > 0) {
    log_debug("%s: waiting until it is complete", found.text.data);
    if (watch->stirred_ms == 0) watch->stirred_ms = watch->looked_ms;
    uint64_t next_ms = watch->looked_ms + watch->interval_ms;
    look_at(watch, polls(watch) && next_ms < due_ms ? next_ms : due_ms);
  } else {
    watch->doubled = found.count > 0 ? 0 : watch->doubled + 1;
    log_info("loading the scripts: %s",
             found.count > 0 ? found.text.data : "they changed while they loaded");
    watch->is_overdue = watch->inotify != NULL && inotify_writing_since_ms(watch->inotify) != 0;
    watch->began_ms = watch->stirred_ms != 0 ? watch->stirred_ms : watch->looked_ms;
    watch->decided = scan_hash(watch->latest);
    rest(watch);
    watch->on_change(watch->arg);
  }
  buf_free(&found.text);
}

// ---- loads ---------------------------------------------------------------------

static void take_latest(struct watch *watch) {
  scan_free(watch->loaded);
  watch->loaded = watch->latest;
  watch->latest = NULL;
}

static void forget_before(struct watch *watch) {
  scan_free(watch->before);
  watch->before = NULL;
}

void watch_begin_load(struct watch *watch) {
  if (watch->is_off) return;
  watch->is_disturbed = scan(watch);
  if (watch->decided != 0 && watch->decided != scan_hash(watch->latest)) watch->is_disturbed = true;
  watch->decided = 0;
  forget_before(watch);
  watch->before = watch->loaded;
  watch->loaded = watch->latest;
  watch->latest = NULL;
  watch->again_ms = 0;
  if (watch->inotify != NULL) inotify_restart_writers(watch->inotify);
  watch->is_unsure = false;
  rest(watch);
  if (watch->is_disturbed) on_event(watch);
}

// The kernel reports a change a moment after it was made: the files say more.
static bool has_changed_since_the_look(struct watch *watch) {
  scan_once(watch);
  bool has_events = watch->inotify != NULL && inotify_read(watch->inotify);
  return has_events || watch->is_disturbed || scan_hash(watch->latest) != scan_hash(watch->loaded);
}

// What changes all the time is taken in the end, when it looks complete.
static bool may_be_taken(struct watch *watch) {
  if (watch->is_overdue) return true;
  if (watch->looked_ms < watch->began_ms + PUT_OFF_MS) return false;
  struct comparison found = compare_scans(watch->before, watch->latest, false, polls(watch));
  buf_free(&found.text);
  return due_of(watch, &found) == 0;
}

bool watch_was_undisturbed(struct watch *watch) {
  if (watch->is_off || !has_changed_since_the_look(watch)) return true;
  bool is_taken = may_be_taken(watch);
  if (!is_taken) {
    scan_free(watch->loaded);
    watch->loaded = watch->before;
    watch->before = NULL;
    watch->stirred_ms = watch->began_ms;
    watch->again_ms = watch->looked_ms;  // in any case: the load before may have come to nothing
  }
  on_event(watch);
  return is_taken;
}

// Scripts that write a script whenever they load would load for ever. Who saves the same one in
// that moment, time after time, looks the same, so that the next load is put off but comes: soon
// after a change from outside, and ever later while there is none.
static void put_off(struct watch *watch, const char *text) {
  if (watch->doubled > OWN_DOUBLED_MAX) watch->doubled = OWN_DOUBLED_MAX;
  unsigned wait_s = OWN_FIRST_S << watch->doubled;
  log_warn("whenever the scripts load, %s: loading them again in %u s", text, wait_s);
  take_latest(watch);
  watch->at_once = 0;
  watch->again_ms = clock_mono_ms() + (uint64_t)wait_s * 1000;
  rest(watch);
}

void watch_end_load(struct watch *watch) {
  if (watch->is_off) return;
  forget_before(watch);
  bool is_stirred = scan(watch);
  if (watch->latest->is_incomplete || watch->loaded->is_incomplete) {
    on_event(watch);
    return;
  }
  struct comparison found = compare_scans(watch->loaded, watch->latest, true, false);
  if (found.count == 0) {
    watch->own_loads = watch->at_once = watch->doubled = 0;
    take_latest(watch);
  } else if (compare_count_loads(watch->loaded, watch->latest, ++watch->own_loads) >
                 OWN_LOADS_MAX ||
             watch->at_once == AT_ONCE_MAX) {
    put_off(watch, found.text.data);
  } else {
    watch->at_once++;
    is_stirred = true;
  }
  if (is_stirred) on_event(watch);
  buf_free(&found.text);
}

bool watch_is_waiting(const struct watch *watch) { return watch->stirred_ms != 0; }

// ---- life ----------------------------------------------------------------------

struct watch *watch_start(uv_loop_t *loop, const struct watch_options *options, struct scan *loaded,
                          void (*on_change)(void *arg), void *arg) {
  struct watch *watch = mem_zalloc(sizeof *watch);
  *watch =
      (struct watch){.dir = mem_strdup(options->dir),
                     .lua_path = options->lua_path != NULL ? mem_strdup(options->lua_path) : NULL,
                     .is_off = strcmp(options->mode, "off") == 0,
                     .debounce_ms = options->debounce_ms,
                     .interval_ms = options->interval_ms,
                     .on_change = on_change,
                     .arg = arg,
                     .loaded = loaded};
  uv_timer_init(loop, &watch->timer);
  watch->timer.data = watch;
  if (watch->is_off) return watch;
  if (watch->loaded == NULL) watch->loaded = scan_new(watch->dir, watch->lua_path, NULL);
  if (strcmp(options->mode, "auto") == 0) {
    watch->inotify = inotify_open(loop, on_event, watch);
    if (watch->inotify == NULL)
      say_blindness(
          watch, errno == EMFILE
                     ? "no descriptor or inotify instance (fs.inotify.max_user_instances) is left"
                     : error_text(errno));
    else
      watch->mounts = mounts_open(loop, on_event, watch);
  }
  scan(watch);
  watch->is_unsure = false;
  on_event(watch);  // they may have changed since they were loaded
  return watch;
}

static void on_timer_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  free(watch->dir);
  free(watch->lua_path);
  scan_free(watch->loaded);
  scan_free(watch->latest);
  scan_free(watch->before);
  free(watch);
}

void watch_stop(struct watch *watch) {
  if (watch->inotify != NULL) inotify_close(watch->inotify);
  mounts_close(watch->mounts);
  uv_timer_stop(&watch->timer);
  uv_close((uv_handle_t *)&watch->timer, on_timer_closed);
}
