// Metrics: numbers about the running process, which any thread may read. A struct of
// metric_value fields holds the numbers, and a table has a row for each: its name, kind
// and meaning. Whoever shows metrics loops over such tables, so that a new one is a field
// and a row.
#ifndef TIDEGATE_BASE_METRICS_H
#define TIDEGATE_BASE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef atomic_llong metric_value;

enum metric_kind {
  METRIC_COUNTER,  // only grows: what happened since the start
  METRIC_GAUGE,    // rises and falls: what is now
};

struct metric {
  const char *name;  // unique among all tables: lower case and '_'
  enum metric_kind kind;
  const char *help;  // one sentence without a full stop
  size_t offset;     // of its metric_value in the struct of the table
};

// The table of one struct.
struct metrics {
  const struct metric *rows;
  size_t count;
};

// A row for the field `field` of struct type, which has the metric's name.
#define METRIC(type, field, kind, help) \
  { #field, kind, help, offsetof(struct type, field) }
#define METRICS(rows) \
  { rows, sizeof(rows) / sizeof *(rows) }

// Both from any thread; the order among several metrics is not kept.
static inline void metric_add(metric_value *gauge, long long n) {
  atomic_fetch_add_explicit(gauge, n, memory_order_relaxed);
}
static inline void metric_count(metric_value *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, (long long)n, memory_order_relaxed);
}

// For a value that one thread alone changes; cheaper than metric_add.
static inline void metric_set(metric_value *value, long long n) {
  atomic_store_explicit(value, n, memory_order_relaxed);
}

static inline long long metric_get(const metric_value *value) {
  return atomic_load_explicit(value, memory_order_relaxed);
}

// Reads the metric of a row; `values` is the struct that its table is about.
long long metric_read(const struct metric *row, const void *values);

#endif
