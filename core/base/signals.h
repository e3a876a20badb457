// Signals while no event loop listens for them: while scripts load, and while the server
// stops. Without a handler HUP would kill the process, and TERM would not reach a process
// with the id 1, for which the kernel ignores the default action.
#ifndef TIDEGATE_BASE_SIGNALS_H
#define TIDEGATE_BASE_SIGNALS_H

#include <stdbool.h>

// From now on TERM, INT and QUIT end the process at once: by the signal itself, or with
// status 128 + number where that has no effect, and for QUIT. HUP is noted.
void signals_take(void);

// Whether a HUP came since signals_take.
bool signals_saw_hup(void);

#endif
