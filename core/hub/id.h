// Message ids, "<epoch>-<seq>": the place in the stream a client comes back
// with. Short, because each message carries one, and plain, because they travel
// in headers and query strings. hub.h has the functions that write and read one.
#ifndef TIDEGATE_HUB_ID_H
#define TIDEGATE_HUB_ID_H

#include "hub/state.h"

// Where in the log of t to start after an id, and in *result what is known to be lost
// since: see hub_join_result. With the lock held.
uint64_t id_start_after(const struct hub *hub, const struct topic *t, struct slice id,
                        struct hub_join_result *result);

#endif
