// Reading what is compressed with permessage-deflate, message by message.
#ifndef BENCH_INFLATE_H
#define BENCH_INFLATE_H

#include "load/wire.h"

struct client;

// Puts the text of a compressed message in the place of its data, until the next
// call. Ends the load unless it is the whole text of a message that load_payload
// makes.
void inflate_message(const struct client *client, struct wire_message *message);

#endif
