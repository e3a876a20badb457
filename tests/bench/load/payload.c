// What the messages of the load generator say: see load.h.
#include <stdio.h>
#include <stdlib.h>

#include "load/load.h"

// Single quotes where JSON has double ones, which Socket.IO would have to
// escape. The figures are random, and the same in every run.
static void fill_records(char *text, size_t size) {
  uint32_t random = 1;
  for (size_t len = 0; len < size;) {
    random = random * 1664525 + 1013904223;
    len += (size_t)snprintf(
        text + len, size + 1 - len, "{'symbol':'%c%c%c','price':%u.%02u,'volume':%u,'side':'%s'},",
        'A' + (random >> 8) % 26, 'A' + (random >> 13) % 26, 'A' + (random >> 18) % 26,
        random >> 23, (random >> 16) % 100, (random >> 10) % 10000, random >> 31 ? "buy" : "sell");
  }
}

const char *load_payload(struct load *load, uint64_t counter) {
  static char *payload;
  if (payload == NULL) {
    payload = malloc((size_t)load->options.size + 1);
    if (payload == NULL) load_fail("out of memory");
    fill_records(payload, (size_t)load->options.size);
  }
  for (int i = LOAD_COUNTER_DIGITS - 1; i >= 0; i--, counter /= 10) {
    payload[i] = (char)('0' + counter % 10);
  }
  return payload;
}

uint64_t load_counter(const char *data, size_t len) {
  uint64_t counter = 0;
  if (len < LOAD_COUNTER_DIGITS) load_fail("a short message: %.*s", (int)len, data);
  for (size_t i = 0; i < LOAD_COUNTER_DIGITS; i++) {
    if (data[i] < '0' || data[i] > '9') load_fail("not our message: %.*s", (int)len, data);
    counter = counter * 10 + (uint64_t)(data[i] - '0');
  }
  return counter;
}
