// What is ready: a worker's own epoll descriptor, and the way to wake a worker.
//
// Connections stand in it directly and edge-triggered: epoll reports that
// something arrived, or that a full socket has room again, once, and whoever
// watches remembers it. So a connection costs one epoll_ctl in its life, and
// epoll looks at no socket twice. libuv's uv_poll_t would take 160 bytes and an
// epoll_ctl per change of interest.
#ifndef TIDEGATE_NET_POLL_H
#define TIDEGATE_NET_POLL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { POLL_EVENTS = 1024 };  // handled in one turn; what is more comes in the next

// Embedded in what has a descriptor. It must stay until poll_remove and until
// poll_is_through: an event of it may have been taken already.
struct poll_watch {
  void (*ready)(struct poll_watch *watch, uint32_t events);  // EPOLLIN, ...
};

struct poll {
  int fd;
  int wake_fd;
  atomic_bool is_woken;
  struct poll_watch wake;
  void (*on_wake)(struct poll *poll);
  int count;  // of events taken by poll_wait
  int at;     // the first of them that was not dispatched
  struct epoll_event events[POLL_EVENTS];
};

// False, with errno, for want of descriptors. on_wake is called in the turn after a poll_wake.
bool poll_init(struct poll *poll, void (*on_wake)(struct poll *poll));
void poll_free(struct poll *poll);

// Watches a descriptor for EPOLLIN, ...; EPOLLET reports each change once.
// False for want of memory.
bool poll_add(struct poll *poll, int fd, uint32_t events, struct poll_watch *watch);
// Changes what is watched. What is ready then is reported (again).
void poll_change(struct poll *poll, int fd, uint32_t events, struct poll_watch *watch);
void poll_remove(struct poll *poll, int fd);  // before the descriptor is closed

// Waits at most timeout_ms (-1: as long as it takes) for something to be ready. What was not
// dispatched of the time before comes first: then it does nothing.
void poll_wait(struct poll *poll, int timeout_ms);
// Calls the next that is ready; false when all were.
bool poll_dispatch(struct poll *poll);
// Nothing that is ready waits to be dispatched.
static inline bool poll_is_through(const struct poll *poll) { return poll->at == poll->count; }

// Has on_wake called, once for all calls before it runs. Any thread.
void poll_wake(struct poll *poll);

#endif
