// Taps: see tap.h.
#include "hub/tap.h"

// A reader that waits for something else meanwhile may fall this far behind.
static const struct hub_rule rule = {
    .pattern = "", .history = 65536, .bytes = 16 << 20, .lag = HUB_LAG_SKIP};

const struct hub_rule *tap_rule(void) { return &rule; }

uint64_t tap_mask_of(const struct hub *hub, struct slice topic) {
  uint64_t mask = 0;
  for (uint64_t left = hub->tap_mask; left != 0; left &= left - 1) {
    int i = __builtin_ctzll(left);
    if (rules_pattern_matches(topic_name(hub->taps[i]), topic)) mask |= (uint64_t)1 << i;
  }
  return mask;
}

struct topic *tap_add(struct hub *hub, struct slice pattern) {
  if (hub->tap_mask == UINT64_MAX) return NULL;
  int i = __builtin_ctzll(~hub->tap_mask);
  struct topic *tap = topic_new(pattern, 0);
  tap->is_tap = true;
  hub->taps[i] = tap;
  hub->tap_mask |= (uint64_t)1 << i;
  hub->rules_version++;  // topics look up their taps again
  return tap;
}

void tap_remove(struct hub *hub, struct topic *tap) {
  int i = 0;
  while (hub->taps[i] != tap) i++;
  hub->taps[i] = NULL;
  hub->tap_mask &= ~((uint64_t)1 << i);
  hub->rules_version++;
  list_append(&hub->doomed, &tap->used_link);  // it may hold many messages
}
