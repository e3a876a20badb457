// What the kernel reports of the places of a scan: that something there has changed, and
// which files are being written. The truth is the next scan; this says when to look.
#ifndef TIDEGATE_SCRIPT_RELOAD_INOTIFY_H
#define TIDEGATE_SCRIPT_RELOAD_INOTIFY_H

#include <stdbool.h>
#include <uv.h>

#include "script/reload/way.h"

struct inotify;

// on_change(arg) is called for each change of a script, a folder, a link, or a name on the
// way to one; not for other files. NULL, with errno, when the system gives no inotify.
struct inotify *inotify_open(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);
void inotify_close(struct inotify *inotify);  // the memory goes with the loop's next turn

// Watches these places and no others. True when one of them was not watched before: what
// happened there meanwhile was not reported.
bool inotify_follow(struct inotify *inotify, const struct places *places);

// Takes up what has happened until now. True when on_change would have been called.
bool inotify_read(struct inotify *inotify);

// Why changes of some of the places are not reported, NULL when all are.
const char *inotify_blindness(const struct inotify *inotify);

// Since when, by the monotonic clock, a file is being written and still open; 0: none is.
uint64_t inotify_writing_since_ms(const struct inotify *inotify);

// What is being written counts from now on.
void inotify_restart_writers(struct inotify *inotify);

// True once after the kernel has lost events: any file may have changed, or be open.
bool inotify_has_lost_events(struct inotify *inotify);

#endif
