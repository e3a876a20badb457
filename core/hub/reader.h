// Readers: what happens to one when messages of a subscription have to wait, or are lost.
#ifndef TIDEGATE_HUB_READER_H
#define TIDEGATE_HUB_READER_H

#include "hub/port.h"

// Notes that sub waits for messages, and has its reader pumped unless it is blocked.
void reader_defer(struct hub_sub *sub);

// Tells a gap; ends the reader when the policy says so.
void reader_tell_gap(struct hub_sub *sub, uint64_t missed, enum hub_lag policy);

#endif
