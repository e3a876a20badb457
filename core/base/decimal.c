// Digits from the last to the first, by division.
#include "base/decimal.h"

#include <string.h>

size_t decimal_write(uint64_t value, char *out) {
  char digits[DECIMAL_MAX];
  size_t at = DECIMAL_MAX;
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value > 0);
  memcpy(out, digits + at, DECIMAL_MAX - at);
  return DECIMAL_MAX - at;
}
