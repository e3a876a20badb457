// Message ids: see id.h.
#include "hub/id.h"

#include "base/decimal.h"

void hub_id_format(const struct hub *hub, uint64_t seq, char out[HUB_ID_MAX]) {
  memcpy(out, hub->epoch, HUB_EPOCH_LEN);
  out[HUB_EPOCH_LEN] = '-';
  char *digits = out + HUB_EPOCH_LEN + 1;
  digits[decimal_write(seq, digits)] = '\0';
}

// One way to write a number: digits, no sign, no leading zero.
static bool parse_seq(struct slice digits, uint64_t *seq) {
  if (digits.len < 1 || digits.len > 20 || (digits.len > 1 && digits.ptr[0] == '0')) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(digits.ptr[i] - '0'), &value)) return false;
  }
  *seq = value;
  return true;
}

bool hub_id_parse(const struct hub *hub, struct slice id, uint64_t *seq) {
  if (id.len < HUB_EPOCH_LEN + 2 || id.ptr[HUB_EPOCH_LEN] != '-') return false;
  if (memcmp(id.ptr, hub->epoch, HUB_EPOCH_LEN) != 0) return false;
  return parse_seq(slice_of(id.ptr + HUB_EPOCH_LEN + 1, id.len - HUB_EPOCH_LEN - 1), seq);
}

uint64_t id_start_after(const struct hub *hub, const struct topic *t, struct slice id,
                        struct hub_join_result *result) {
  uint64_t seq;
  result->missed_known = false;
  // An id that was never given out says nothing: all that is kept comes.
  if (!hub_id_parse(hub, id, &seq) || seq > hub->seq) return topic_first(t);
  result->recovered = result->missed_known = seq >= t->lost_seq;
  return topic_find_after(t, seq);
}
