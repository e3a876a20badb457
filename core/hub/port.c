// Ports: see port.h.
#include "hub/port.h"

#include <sched.h>
#include <stdlib.h>

#include "base/mem.h"

// ---- life ----------------------------------------------------------------

struct hub_port *hub_port_new(struct hub *hub, const struct hub_port_ops *ops, void *ctx) {
  pthread_mutex_lock(&hub->lock);
  bool is_full = hub->port_count == HUB_PORTS;
  if (!is_full) hub->port_count++;
  pthread_mutex_unlock(&hub->lock);
  if (is_full) return NULL;
  struct hub_port *port = mem_zalloc(sizeof *port);
  port->hub = hub;
  port->ops = *ops;
  port->ctx = ctx;
  list_init(&port->dirty);
  list_init(&port->pump);
  batch_init(&port->batches, hub->encoders, ctx);
  return port;
}

void hub_port_free(struct hub_port *port) {
  if (port == NULL) return;
  pthread_mutex_lock(&port->hub->lock);
  port->hub->port_count--;
  pthread_mutex_unlock(&port->hub->lock);
  // A publisher that found this port under the lock may be about to wake it.
  while (atomic_load_explicit(&port->waker_count, memory_order_acquire) > 0) sched_yield();
  free(port->turn.messages);
  free(port->turn.topics);
  free(port->scratch.gaps);
  free(port->scratch.heap);
  batch_free(&port->batches);
  free(port);
}

void *hub_port_ctx(const struct hub_port *port) { return port->ctx; }

struct slice hub_form(struct hub_port *port, struct message *m, unsigned form) {
  return batch_encode(&port->batches, m, form);
}

// ---- work from other threads ---------------------------------------------

bool hub_port_has_work(const struct hub_port *port) {
  return port_is_signalled(port) || !list_is_empty(&port->pump);
}

static bool mark(struct topic_port *place) {
  if (!list_is_empty(&place->dirty_link)) return false;
  struct hub_port *port = place->port;
  list_append(&port->dirty, &place->dirty_link);
  return !atomic_exchange_explicit(&port->is_signalled, true, memory_order_acq_rel);
}

bool port_hold(struct topic_port *place, uint64_t cursor) {
  if (cursor < place->pos) place->pos = cursor;
  place->is_held = true;
  return mark(place);
}

void port_mark_topic(const struct topic *t, struct hub_port *from, struct port_wakes *wakes) {
  for (uint32_t i = 0; i < t->port_count; i++) {
    struct hub_port *port = t->ports[i]->port;
    if (!mark(t->ports[i]) || (port == from && !port->is_delivering)) continue;
    atomic_fetch_add_explicit(&port->waker_count, 1, memory_order_relaxed);
    wakes->ports[wakes->count++] = port;
  }
}

void port_wake_all(struct port_wakes *wakes) {
  for (size_t i = 0; i < wakes->count; i++) {
    struct hub_port *port = wakes->ports[i];
    port->ops.wake(port->ctx);
    atomic_fetch_sub_explicit(&port->waker_count, 1, memory_order_release);
  }
  wakes->count = 0;
}
