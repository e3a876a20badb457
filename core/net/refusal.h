// Connections beyond a worker's limit: they get 503, and their sockets stay open for
// a moment. Closed at once, with a request in them that nobody read, they would be
// reset, which takes the answer from the client (RFC 9112 9.6).
#ifndef TIDEGATE_NET_REFUSAL_H
#define TIDEGATE_NET_REFUSAL_H

#include "base/wheel.h"

struct worker;

enum { REFUSALS_MAX = 64 };  // the oldest makes room for one more

struct refusals {
  struct refusal {
    struct wheel_timer timer;  // set while fd is open
    int fd;
  } held[REFUSALS_MAX];
  unsigned next;
};

void refusals_init(struct refusals *refusals);
void refusals_free(struct refusals *refusals);

// Answers a descriptor that was just accepted, and takes it over.
void refusals_add(struct worker *worker, int fd);

#endif
