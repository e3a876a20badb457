// The control socket: how `tidegate reload DIR` reaches the server that serves DIR, also
// when what is at DIR was replaced since the start; only the same user (or root) is
// answered.
#ifndef TIDEGATE_SCRIPT_RELOAD_CONTROL_H
#define TIDEGATE_SCRIPT_RELOAD_CONTROL_H

#include <uv.h>

struct control;

// A request came in: answer it, now or later, with control_answer(fd, ...).
typedef void control_fn(void *arg, int fd);

// While another server has the names of the folder, which is logged, it waits until that one has
// stopped, and takes them then.
struct control *control_start(uv_loop_t *loop, const char *dir, control_fn *on_reload, void *arg);

// Another folder may be at dir now: the socket takes its name.
void control_follow(struct control *control);
void control_stop(struct control *control);

// Sends one line and closes fd. ok decides the client's exit status.
void control_answer(int fd, int ok, const char *text);

// The client: asks the server of dir to reload, prints its answer, and returns
// the exit status (0 reloaded, 1 failed or no server).
int control_reload(const char *dir);

#endif
