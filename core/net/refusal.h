// Connections beyond a worker's limit: they get 503, and their sockets stay open for
// a moment. Closed at once, with a request in them that nobody read, they would be
// reset, which takes the answer from the client (RFC 9112 9.6).
#ifndef TIDEGATE_NET_REFUSAL_H
#define TIDEGATE_NET_REFUSAL_H

struct refusals;
struct worker;

enum { REFUSALS_MAX = 64 };  // held at a time; the oldest makes room for one more

struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);  // closes all; NULL is ignored

// Answers a descriptor that was just accepted, and takes it over.
void refusals_add(struct worker *worker, int fd);

#endif
