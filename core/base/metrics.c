// Reading metrics by their rows: see metrics.h.
#include "base/metrics.h"

long long metric_read(const struct metric *row, const void *values) {
  return metric_get((const metric_value *)(const void *)((const char *)values + row->offset));
}
