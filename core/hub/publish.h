// Publishing: the one place where a message gets its seq and enters a log. A log that
// lives elsewhere (another machine, a disk) meets the hub here.
#ifndef TIDEGATE_HUB_PUBLISH_H
#define TIDEGATE_HUB_PUBLISH_H

#include "hub/port.h"

// Publishes m, now, to t and to the taps that match, without a look at its size; borrows m. t is
// what topics_for gave for m's topic. The ports to wake are added to *wakes. With the lock
// held, whose `from` is as hub_publish says.
void publish_message(struct hub *hub, struct hub_port *from, struct topic *t, struct message *m,
                     uint64_t now_ns, struct port_wakes *wakes);

#endif
