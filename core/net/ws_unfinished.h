// Messages that have begun and are not complete: each has body_timeout from its
// first frame, and all of a worker may hold message_memory. Most messages come
// in one piece and are never here.
#ifndef TIDEGATE_NET_WS_UNFINISHED_H
#define TIDEGATE_NET_WS_UNFINISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct conn;
struct worker;

// In a connection's ws_extra.
struct ws_unfinished {
  struct list link;  // in worker->unfinished, in the order of begun_ms; alone: there is none
  struct conn *conn;
  uint64_t begun_ms;
  size_t bytes;  // held, counted in worker->unfinished_bytes
};

void ws_unfinished_start(struct worker *worker);

// After input, with whether a message ended in it: what is under way now is another one then.
// False when it asks for more than is left of message_memory.
bool ws_unfinished_note(struct conn *conn, bool ended_one);

// Before the end of the session's state.
void ws_unfinished_forget(struct conn *conn);

#endif
