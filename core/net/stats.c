// The table of a server's numbers: see stats.h.
#include "net/stats.h"

#define COUNTER(field, help) METRIC(stats, field, METRIC_COUNTER, help)
#define GAUGE(field, help) METRIC(stats, field, METRIC_GAUGE, help)

static const struct metric rows[] = {
    GAUGE(connections, "Connections that are open"),
    GAUGE(websockets, "WebSocket sessions that are open"),
    GAUGE(streams, "Event streams that are open"),
    COUNTER(accepted, "Connections that were accepted"),
    COUNTER(refused, "Connections that were refused because there were too many"),
    COUNTER(accept_pauses,
            "Pauses of 100 ms in which a listener left new connections waiting, as the process had "
            "no file descriptors or memory for them"),
    COUNTER(requests, "Requests whose head was received"),
    COUNTER(bad_requests, "Requests that the parser refused"),
    COUNTER(slow_requests, "Requests and WebSocket messages that took too long to arrive"),
    COUNTER(slow_readers,
            "Connections that were cut because the client took no output for write_timeout"),
    COUNTER(shed_readers,
            "Connections that were cut because what clients left unread on the worker held more "
            "than output_memory"),
    COUNTER(lost_peers,
            "WebSockets that were cut because the client left two heartbeats unanswered"),
    COUNTER(messages_in, "WebSocket messages that were received"),
    COUNTER(put_off,
            "Times that the rest of a connection's input, of a session's events, or of the timers "
            "that were due waited for the next turn, in which others have theirs"),
    COUNTER(slow_turns, "Turns of a worker that took longer than slow_turn, logged or not"),
    COUNTER(refused_memory,
            "Requests and WebSocket messages that were refused because what is under way on the "
            "worker holds message_memory"),
    COUNTER(sends_full, "Direct sends that were refused because the queue was full"),
    GAUGE(workers, "Workers, each a thread with a Lua state of its own"),
};
const struct metrics stats_metrics = METRICS(rows);
