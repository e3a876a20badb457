// What is mounted over a folder hides it, and no event of the folder says so. The kernel reports
// that mounts of our namespace have changed, whichever they are (proc_pid_mountinfo(5)).
#ifndef TIDEGATE_SCRIPT_RELOAD_MOUNTS_H
#define TIDEGATE_SCRIPT_RELOAD_MOUNTS_H

#include <uv.h>

struct mounts;

// on_change(arg) is called after each change. NULL where the system reports none.
struct mounts *mounts_open(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);
void mounts_close(struct mounts *mounts);  // NULL is ignored; memory goes with the loop's next turn

#endif
