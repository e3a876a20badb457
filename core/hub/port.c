// Ports and readers: the side of the hub that one worker's thread owns.
#include <sched.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/internal.h"

// ---- ports ---------------------------------------------------------------

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

struct hub *hub_port_hub(const struct hub_port *port) {
  return port->hub;
}

// ---- readers -------------------------------------------------------------

void hub_reader_init(struct hub_reader *reader, struct hub_port *port, uint64_t id, unsigned form) {
  *reader = (struct hub_reader){.port = port, .id = id, .form = (uint8_t)form};
  list_init(&reader->pump_link);
}

// Readers that are blocked or ended are not pumped; hub_reader_resume links a blocked one again.
static void pump_later(struct hub_reader *reader) {
  if (reader->is_blocked || reader->is_ended || !list_is_empty(&reader->pump_link)) return;
  list_append(&reader->port->pump, &reader->pump_link);
}

void hub_reader_resume(struct hub_reader *reader) {
  reader->is_blocked = false;
  if (reader->behind != NULL) pump_later(reader);
}

void port_sub_defer(struct hub_sub *sub) {
  struct hub_reader *reader = sub->reader;
  if (!sub->is_behind) {
    sub->is_behind = true;
    sub->behind_next = reader->behind;
    reader->behind = sub;
  }
  pump_later(reader);
}

void port_tell_gap(struct hub_sub *sub, uint64_t missed, enum hub_lag policy) {
  struct hub_reader *reader = sub->reader;
  struct hub_port *port = reader->port;
  metric_count(&port->hub->counters.lagged, missed);
  if (policy == HUB_LAG_CLOSE) reader->is_ended = true;
  port->ops.gap(reader, topic_name(sub->place->topic), missed, policy);
}

void hub_reader_topics(const struct hub_reader *reader, void (*each)(void *arg, struct slice topic),
                       void *arg) {
  const struct hub_sub *sub = reader->subs;
  for (uint32_t i = 0; i < reader->sub_count; i++, sub = sub->next) {
    each(arg, topic_name(sub->place->topic));
  }
}
