// Output that sockets do not take holds memory: send_queue bounds it for one connection, and
// output_memory for all of a worker. A buffer counts whole, from when its socket is full until all
// of it is written; what is written in its turn never counts.
#ifndef TIDEGATE_NET_OVERFLOW_H
#define TIDEGATE_NET_OVERFLOW_H

#include "net/worker.h"

void overflow_shed(struct worker *worker);

// Cuts the connections that hold most, when all together hold more than output_memory, until a
// quarter of it is free. To be called once what is waiting was written.
static inline void overflow_check(struct worker *worker) {
  if (worker->output_bytes > worker->config->output_memory_bytes) overflow_shed(worker);
}

#endif
