// Reloading: reads the scripts once, has every worker load them beside the live
// generation, and lets all switch or none. Runs on the main thread's loop; set
// off by a changed file, SIGHUP, or `tidegate reload`.
#ifndef TIDEGATE_SCRIPT_RELOAD_RELOAD_H
#define TIDEGATE_SCRIPT_RELOAD_RELOAD_H

#include <uv.h>

#include "net/server.h"

struct reload;

// `dir` and `server` are borrowed. Starts watching.
struct reload *reload_start(uv_loop_t *loop, struct server *server, const char *dir);

// Begins a reload, or notes that one more is wanted when one is under way.
void reload_request(struct reload *reload);

// No further reload begins, and the one under way goes no further. Blocks for nobody: workers
// may be at it still.
void reload_stop(struct reload *reload);

// After reload_stop, when the threads of all workers have ended and before the server is freed.
// The memory goes when the loop, which is to be run once more, has closed the handle.
void reload_free(struct reload *reload);

#endif
