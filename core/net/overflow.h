// Output that clients do not take holds memory: send_queue bounds it for one connection, and
// output_memory for all of a worker. Who reads in time is never counted.
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
