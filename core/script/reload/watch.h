// Watches the script directory. The truth is a look at all of it (scan.h), compared with
// the look that was loaded; inotify only says when to look, or a timer where it cannot.
#ifndef TIDEGATE_SCRIPT_RELOAD_WATCH_H
#define TIDEGATE_SCRIPT_RELOAD_WATCH_H

#include <stdbool.h>
#include <uv.h>

#include "script/reload/scan.h"

struct watch;

struct watch_options {
  const char *dir;       // copied
  const char *lua_path;  // of the framework, copied; NULL: it is in the program
  const char *mode;      // "auto", "poll" or "off"
  uint64_t debounce_ms;  // without a further change before one is taken up
  uint64_t interval_ms;  // between two looks where no changes are reported
};

// Calls on_change(arg) when the scripts differ from those of `loaded` (taken over; NULL: as
// they are now), and may be loaded: nobody is writing one, none was emptied or removed just
// now. Each of these waits has an end. Only scripts, links and folders count.
struct watch *watch_start(uv_loop_t *loop, const struct watch_options *options, struct scan *loaded,
                          void (*on_change)(void *arg), void *arg);
void watch_stop(struct watch *watch);  // memory goes when the loop has closed the handles

// The scripts are read now, whatever their state: what differs later is a change.
void watch_begin_load(struct watch *watch);

// They have been read, because of on_change. False when somebody saved one meanwhile, so that
// half of it may have been read: nothing is to be loaded, and on_change is called again.
bool watch_was_undisturbed(struct watch *watch);

// They have been loaded, or not. Changes since watch_begin_load may be the scripts' own
// doing: a file that has the same content is none, and loads that always change a file
// follow each other ever more slowly.
void watch_end_load(struct watch *watch);

// A change has been noticed, and is not taken up yet.
bool watch_is_waiting(const struct watch *watch);

#endif
