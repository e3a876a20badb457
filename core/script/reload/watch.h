// Watches a folder and everything below it for changes.
#ifndef TIDEGATE_SCRIPT_RELOAD_WATCH_H
#define TIDEGATE_SCRIPT_RELOAD_WATCH_H

#include <uv.h>

struct watch;

// Calls on_change(arg) once `debounce_ms` have passed without a further change
// of any file or folder below dir, and no file was emptied within the last two
// seconds (it is being saved in place). Names that start with '.' and names that
// end with '~' are ignored.
struct watch *watch_start(uv_loop_t *loop, const char *dir, uint64_t debounce_ms,
                          void (*on_change)(void *arg), void *arg);
void watch_stop(struct watch *watch);  // memory goes when the loop has closed the handles

#endif
