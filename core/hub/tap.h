// Taps: a tap is a reader of the server's own that follows all topics of a pattern. It has a
// log beside the topics, which gets a reference to every message that matches. So its
// subscription is a cursor like any other: in seq order, with a window, and with gaps that
// are counted. The log is a struct topic whose is_tap is set.
//
// Guarded by the hub's lock.
#ifndef TIDEGATE_HUB_TAP_H
#define TIDEGATE_HUB_TAP_H

#include "hub/state.h"

// The taps whose pattern matches a topic, one bit each.
uint64_t tap_mask_of(const struct hub *hub, struct slice topic);

const struct hub_rule *tap_rule(void);  // of the log of every tap

// Returns the log of a new tap, which has no subscription yet; NULL when HUB_TAPS exist.
struct topic *tap_add(struct hub *hub, struct slice pattern);
void tap_remove(struct hub *hub, struct topic *tap);  // frees the log, whose subscription has ended

#endif
