// The signals that stop the server (TERM, INT, QUIT) and have it reload (HUP). While no event
// loop listens for them, while scripts load and while the server stops, HUP would kill the
// process without a handler, and TERM would not reach one with the process id 1, for which the
// kernel ignores the default action.
#ifndef TIDEGATE_BASE_SIGNALS_H
#define TIDEGATE_BASE_SIGNALS_H

#include <stdbool.h>

// From now on TERM, INT and QUIT end the process at once: by the signal itself, or with
// status 128 + number where that has no effect, and for QUIT. HUP is noted.
void signals_end_process(void);

// After signals_end_process, for a run that is no server: HUP ends the process as well, also one
// that was noted, and what was ignored when the process began (nohup, a job of a shell in the
// background) is ignored again.
void signals_end_command(void);

// From now on all four are noted, and a HUP that was noted before still is. Returns a descriptor
// that is readable when there is one, and stays open; -1, with errno, when there is none to have.
int signals_note(void);

// The next that was noted, and is no longer; 0: none. What has come several times is one. Makes
// the descriptor unreadable.
int signals_next(void);

#endif
