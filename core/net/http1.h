// HTTP/1.1 on a connection: one call at a time, answered in order, kept alive.
// A pipelined request waits, unparsed, until the one before is answered. A
// request on it is a call: http1_call.h.
#ifndef TIDEGATE_NET_HTTP1_H
#define TIDEGATE_NET_HTTP1_H

#include <stdbool.h>

struct worker;

// Takes over an accepted descriptor: a new connection speaks HTTP first. Refuses it
// with 503 when the worker is full.
void http1_open(struct worker *worker, int fd);

#endif
