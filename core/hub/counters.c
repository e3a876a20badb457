// The table of a hub's numbers.
#include "hub/hub.h"

#define COUNTER(field, help) METRIC(hub_counters, field, METRIC_COUNTER, help)
#define GAUGE(field, help) METRIC(hub_counters, field, METRIC_GAUGE, help)

static const struct metric rows[] = {
    COUNTER(published, "Messages that were published"),
    COUNTER(delivered, "Deliveries of a message that a session accepted"),
    COUNTER(evicted, "Messages that retention dropped from a log"),
    COUNTER(evicted_memory, "Evicted messages that hub_max_bytes had no room for"),
    COUNTER(lagged, "Messages that subscriptions missed because they fell off the log"),
    COUNTER(conflated, "Deliveries left out because a newer message of the key followed"),
    COUNTER(skipped, "Deliveries left out because the wire form cannot carry the message"),
    COUNTER(joins_refused, "Joins that a limit refused"),
    COUNTER(encoded, "Wire forms that were encoded"),
    GAUGE(form_bytes, "Memory of the encoded wire forms that exist"),
    GAUGE(presence_bytes, "Memory of the members of topics"),
    GAUGE(topics, "Topics that exist"),
};
const struct metrics hub_metrics = METRICS(rows);
