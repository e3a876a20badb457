// A config.lua that changes under a running server: settings are read at the start only, so
// all that can be done is to say what a restart would change.
#ifndef TIDEGATE_SCRIPT_RELOAD_CONFIG_CHANGE_H
#define TIDEGATE_SCRIPT_RELOAD_CONFIG_CHANGE_H

#include <uv.h>

#include "base/config.h"

struct config_change;

// Notes how dir/config.lua is now. `dir` and `running`, what the server runs with, are
// borrowed. Ends with the loop's next turn after config_change_free.
struct config_change *config_change_new(uv_loop_t *loop, const char *dir,
                                        const struct config *running);
void config_change_free(struct config_change *change);

// When the file is another than the last time: runs it in a thread of its own, and logs then
// what is wrong with it, or which keys need a restart and which are overridden.
void config_change_look(struct config_change *change);

#endif
