// Presence: who is in a topic. A member is a user; all subscriptions joined as
// that user are one member, on whatever port. When the last of them ends, the
// member stays for a grace period, so that a reconnect goes unseen. Joins and
// leaves are told as diffs, coalesced per sweep, on the companion topic:
//
//   {"topic":"chat/1","joins":[{"id":"ann","info":{...},"since":1767.5}],"leaves":[...]}
//
// A member in `joins` that was there already has changed its info.
//
// Guarded by the hub's lock.
#ifndef TIDEGATE_HUB_PRESENCE_H
#define TIDEGATE_HUB_PRESENCE_H

#include "hub/cursor.h"

// Whether presence_join would take this member for sub (NULL: one to be): HUB_OK, HUB_NO_PRESENCE,
// HUB_BAD_MEMBER, HUB_INFO_TOO_LARGE, or HUB_LONG_TOPIC when the companion's
// name would be too long, or HUB_LIMIT_MEMBERS. t's rule is up to date.
enum hub_status presence_check(const struct hub *hub, const struct topic *t,
                               const struct hub_sub *sub, struct slice as, struct slice info);

// The subscription is one of member `as` from now on (and of no other). info
// replaces what the member had, unless its ptr is NULL.
void presence_join(struct hub *hub, struct hub_sub *sub, struct slice as, struct slice info);
// The subscription, which is a member's, ends.
void presence_leave(struct hub *hub, struct hub_sub *sub);

void presence_free(struct hub *hub, struct topic *t);  // all members, without telling

// Takes the lock itself: ends grace periods that are over and tells the diffs.
void presence_sweep(struct hub *hub, uint64_t now_ms);

#endif
