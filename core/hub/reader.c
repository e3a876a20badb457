// Readers: see reader.h.
#include "hub/reader.h"

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

void reader_defer(struct hub_sub *sub) {
  struct hub_reader *reader = sub->reader;
  if (!sub->is_behind) {
    sub->is_behind = true;
    sub->behind_next = reader->behind;
    reader->behind = sub;
  }
  pump_later(reader);
}

void reader_tell_gap(struct hub_sub *sub, uint64_t missed, enum hub_lag policy) {
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
