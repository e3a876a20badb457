// What is logged rarely: see rarely.h.
#include "base/rarely.h"

bool rarely_is_due(struct rarely *rarely, uint64_t now_ms) {
  unsigned long long next = atomic_load_explicit(&rarely->next_ms, memory_order_relaxed);
  if (next != 0 && now_ms < next) return false;
  return atomic_compare_exchange_strong(&rarely->next_ms, &next, now_ms + RARELY_MS);
}
