// Numbers of a server: what its connections do and did, on all workers. Their meaning is
// told by the rows in stats.c.
#ifndef TIDEGATE_NET_STATS_H
#define TIDEGATE_NET_STATS_H

#include "base/metrics.h"

struct stats {
  metric_value connections;
  metric_value websockets;
  metric_value streams;
  metric_value accepted;
  metric_value refused;
  metric_value accept_pauses;
  metric_value requests;
  metric_value bad_requests;
  metric_value slow_requests;
  metric_value slow_readers;
  metric_value shed_readers;
  metric_value lost_peers;
  metric_value messages_in;
  metric_value put_off;
  metric_value slow_turns;
  metric_value refused_memory;
  metric_value sends_full;
  metric_value workers;
};

extern const struct metrics stats_metrics;

#endif
