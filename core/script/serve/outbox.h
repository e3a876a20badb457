// The outbox: what scripts publish while they load. A load that fails must have no effect,
// and all workers run the same scripts; so these messages wait in their generation, and
// the first worker publishes its own when the generation goes live.
#ifndef TIDEGATE_SCRIPT_SERVE_OUTBOX_H
#define TIDEGATE_SCRIPT_SERVE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "script/vm/module.h"

struct buf;
struct message_fields;

enum { OUTBOX_MESSAGES = 10000, OUTBOX_BYTES = 16 * 1024 * 1024 };

extern struct script_module outbox_module;

// Keeps a copy of the message, which is valid; `place` is where it was published, as
// "app.lua:7: ". False when there are OUTBOX_MESSAGES or OUTBOX_BYTES already. On other
// workers than the first nothing is kept.
bool outbox_add(struct generation *generation, const struct message_fields *fields,
                const char *place);

// Appends one line for each message, for --check.
void outbox_list(const struct generation *generation, struct buf *out);

#endif
