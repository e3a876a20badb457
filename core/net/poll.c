// A worker's epoll descriptor: see poll.h.
#include "net/poll.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/list.h"

enum { AHEAD = 4 };

static void on_woken(struct poll_watch *watch, uint32_t events) {
  struct poll *poll = list_entry(watch, struct poll, wake);
  (void)events;
  // First, so that a wake from now on is a new one.
  atomic_store(&poll->is_woken, false);
  poll->on_wake(poll);
}

bool poll_init(struct poll *poll, void (*on_wake)(struct poll *poll)) {
  poll->wake.ready = on_woken;
  poll->on_wake = on_wake;
  poll->count = poll->at = 0;
  atomic_init(&poll->is_woken, false);
  poll->fd = epoll_create1(EPOLL_CLOEXEC);
  poll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Edge-triggered, so that nobody needs to read it.
  return poll->fd >= 0 && poll->wake_fd >= 0 &&
         poll_add(poll, poll->wake_fd, EPOLLIN | EPOLLET, &poll->wake);
}

void poll_free(struct poll *poll) {
  if (poll->fd >= 0) close(poll->fd);
  if (poll->wake_fd >= 0) close(poll->wake_fd);
}

static bool control(struct poll *poll, int operation, int fd, uint32_t events,
                    struct poll_watch *watch) {
  struct epoll_event event = {.events = events, .data.ptr = watch};
  return epoll_ctl(poll->fd, operation, fd, &event) == 0;
}

bool poll_add(struct poll *poll, int fd, uint32_t events, struct poll_watch *watch) {
  return control(poll, EPOLL_CTL_ADD, fd, events, watch);
}

void poll_change(struct poll *poll, int fd, uint32_t events, struct poll_watch *watch) {
  control(poll, EPOLL_CTL_MOD, fd, events, watch);
}

// Closing would do, unless a child process has inherited the descriptor.
void poll_remove(struct poll *poll, int fd) { control(poll, EPOLL_CTL_DEL, fd, 0, NULL); }

void poll_wait(struct poll *poll, int timeout_ms) {
  if (!poll_is_through(poll)) return;
  // Interrupted by a signal: a turn without events.
  int count = epoll_wait(poll->fd, poll->events, POLL_EVENTS, timeout_ms);
  poll->count = count > 0 ? count : 0;
  poll->at = 0;
}

bool poll_dispatch(struct poll *poll) {
  if (poll_is_through(poll)) return false;
  int i = poll->at++;
  if (i + AHEAD < poll->count) __builtin_prefetch(poll->events[i + AHEAD].data.ptr);
  struct poll_watch *watch = poll->events[i].data.ptr;
  watch->ready(watch, poll->events[i].events);
  return true;
}

void poll_wake(struct poll *poll) {
  if (atomic_exchange(&poll->is_woken, true)) return;
  uint64_t one = 1;
  ssize_t ignored = write(poll->wake_fd, &one, sizeof one);
  (void)ignored;
}
