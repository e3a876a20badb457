// The pump: brings one reader up to date from the logs. It serves whoever the
// shared batch does not fit: readers that replay, that were blocked, that
// follow several topics with news, or that are left out of a message. The logs
// of the topics it is behind in are merged by seq, so that a reader's last id
// is enough to resume all of its topics.
//
// It goes no further than the port's last delivery (topic_port.end): a message
// beyond that might be overtaken by an older one of a topic not yet delivered.
//
// A reader whose cursor lies before this turn's messages (topic_port.start) is
// behind: of messages with a key it gets only the newest.
#ifndef TIDEGATE_HUB_PUMP_H
#define TIDEGATE_HUB_PUMP_H

#include "hub/port.h"

// Brings one reader up to date from the logs, as far as it takes the messages.
// False when it left some without being blocked: then it is to be pumped again. So does one
// that replays, once much has been pumped in this delivery.
bool pump_reader(struct hub_port *port, struct hub_reader *reader);

#endif
