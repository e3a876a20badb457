// Taps: a tap is the log of a pattern. It lies beside the topics and gets a reference to
// every message of all topics that match, so whoever reads it is a cursor like any other:
// in seq order, with a window, and with gaps that are counted.
//
// Guarded by the hub's lock.
#ifndef TIDEGATE_HUB_TAP_H
#define TIDEGATE_HUB_TAP_H

#include "hub/state.h"

// The taps whose pattern matches a topic, one bit each.
uint64_t tap_mask_of(const struct hub *hub, struct slice topic);

const struct hub_rule *tap_rule(void);  // of every tap

struct topic *tap_add(struct hub *hub, struct slice pattern);  // NULL when HUB_TAPS exist
void tap_remove(struct hub *hub, struct topic *tap);           // frees it; nobody reads it any more

#endif
