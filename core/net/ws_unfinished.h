// Messages that have begun and are not complete: each has body_timeout from its
// first frame, and counts for message_memory. Most messages come
// in one piece and are never here.
#ifndef TIDEGATE_NET_WS_UNFINISHED_H
#define TIDEGATE_NET_WS_UNFINISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/wheel.h"

struct worker;

// The message under way of one session, if there is one.
struct ws_unfinished {
  struct list link;  // in ws_unfinished_set.all; alone: there is none
  uint64_t begun_ms;
  size_t bytes;  // see worker_hold
};

// Those of a worker.
struct ws_unfinished_set {
  struct worker *worker;
  struct list all;           // in the order of begun_ms
  struct wheel_timer timer;  // for the oldest
  // The message takes too long: it is to be forgotten, or to begin anew.
  void (*overdue)(struct ws_unfinished_set *set, struct ws_unfinished *unfinished);
};

void ws_unfinished_set_init(struct ws_unfinished_set *set, struct worker *worker,
                            void (*overdue)(struct ws_unfinished_set *set,
                                            struct ws_unfinished *unfinished));

void ws_unfinished_init(struct ws_unfinished *unfinished);
static inline bool ws_unfinished_is_under_way(const struct ws_unfinished *unfinished) {
  return !list_is_empty(&unfinished->link);
}

// Its time begins now, also when it had begun before.
void ws_unfinished_begin(struct ws_unfinished_set *set, struct ws_unfinished *unfinished);
// It holds so much now. False when that asks for more than is left of message_memory.
bool ws_unfinished_hold(struct ws_unfinished_set *set, struct ws_unfinished *unfinished,
                        size_t bytes);
// It is complete, or given up; harmless when there is none.
void ws_unfinished_forget(struct ws_unfinished_set *set, struct ws_unfinished *unfinished);

#endif
