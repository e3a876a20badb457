// What the parts of a worker share: see worker.h.
#include "net/worker.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

void conn_array_push(struct conn_array *array, struct conn *conn) {
  array->items = mem_grow(array->items, &array->cap, array->count + 1, 64, sizeof *array->items);
  array->items[array->count++] = conn;
}

// ---- time ----------------------------------------------------------------

void worker_set_timer(struct worker *worker, struct wheel_timer *timer, uint64_t delay_ms) {
  wheel_set(&worker->wheel, timer, worker->now_ms + delay_ms);
}

const char *worker_date(struct worker *worker) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != worker->date_second) {
    worker->date_second = now.tv_sec;
    http_format_date(worker->date, now.tv_sec);
  }
  return worker->date;
}

// ---- memory --------------------------------------------------------------

bool worker_hold(struct worker *worker, size_t *held, size_t bytes) {
  size_t before = *held;
  worker->held_bytes += bytes - before;
  *held = bytes;
  return bytes <= before || worker->held_bytes <= worker->config->message_memory_bytes;
}

// ---- mailbox -------------------------------------------------------------

// A call to make on the worker's thread.
struct worker_call {
  struct worker_call *next;
  void (*run)(struct worker *worker, void *arg);
  void *arg;
};

void worker_open_mailbox(struct worker *worker) {
  pthread_mutex_init(&worker->mailbox_lock, NULL);
  worker->mailbox_tail = &worker->mailbox;
}

void worker_post(struct worker *worker, void (*run)(struct worker *worker, void *arg), void *arg) {
  struct worker_call *call = mem_alloc(sizeof *call);
  *call = (struct worker_call){NULL, run, arg};
  pthread_mutex_lock(&worker->mailbox_lock);
  *worker->mailbox_tail = call;
  worker->mailbox_tail = &call->next;
  pthread_mutex_unlock(&worker->mailbox_lock);
  poll_wake(&worker->poll);
}

static struct worker_call *take_calls(struct worker *worker) {
  pthread_mutex_lock(&worker->mailbox_lock);
  struct worker_call *call = worker->mailbox;
  worker->mailbox = NULL;
  worker->mailbox_tail = &worker->mailbox;
  pthread_mutex_unlock(&worker->mailbox_lock);
  return call;
}

void worker_run_calls(struct worker *worker) {
  struct worker_call *call = take_calls(worker);
  while (call != NULL) {
    struct worker_call *next = call->next;
    call->run(worker, call->arg);
    free(call);
    call = next;
  }
}

void worker_close_mailbox(struct worker *worker) {
  struct worker_call *call = take_calls(worker);
  while (call != NULL) {
    struct worker_call *next = call->next;
    free(call);
    call = next;
  }
  pthread_mutex_destroy(&worker->mailbox_lock);
}
