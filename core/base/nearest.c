// Optimal string alignment (Levenshtein with transpositions): see nearest.h.
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ROWS = 3, TOO_LONG = NEAREST_NAME_BYTES + 1 };

static int letter(char c) { return c == '-' ? '_' : tolower((unsigned char)c); }

static bool is_same(char a, char b) { return letter(a) == letter(b); }

static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

// rows[i % ROWS][j] is the distance of the first i letters of a to the first j of b. Row i
// needs the one before, and the one before that for a swap.
size_t nearest_distance(const char *a, const char *b) {
  size_t a_len = strnlen(a, TOO_LONG);
  size_t b_len = strnlen(b, TOO_LONG);
  if (a_len == TOO_LONG || b_len == TOO_LONG) return TOO_LONG;
  uint8_t rows[ROWS][TOO_LONG];
  for (size_t j = 0; j <= b_len; j++) rows[0][j] = (uint8_t)j;
  for (size_t i = 1; i <= a_len; i++) {
    uint8_t *row = rows[i % ROWS];
    const uint8_t *above = rows[(i - 1) % ROWS];
    const uint8_t *swapped = rows[(i + 1) % ROWS];
    row[0] = (uint8_t)i;
    for (size_t j = 1; j <= b_len; j++) {
      uint8_t replace = (uint8_t)(above[j - 1] + (is_same(a[i - 1], b[j - 1]) ? 0 : 1));
      row[j] = least(replace, (uint8_t)(least(above[j], row[j - 1]) + 1));
      if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
        row[j] = least(row[j], (uint8_t)(swapped[j - 2] + 1));
    }
  }
  return rows[a_len % ROWS][b_len];
}

static bool is_near(size_t distance, size_t longer) {
  return distance * 3 < longer || (distance == 1 && longer == 3);
}

const char *nearest_name(const char *wanted, const char *const *names, size_t count) {
  const char *best = NULL;
  size_t best_distance = TOO_LONG;
  size_t wanted_len = strnlen(wanted, TOO_LONG);
  for (size_t i = 0; i < count; i++) {
    size_t distance = nearest_distance(wanted, names[i]);
    size_t name_len = strnlen(names[i], TOO_LONG);
    size_t longer = wanted_len > name_len ? wanted_len : name_len;
    if (distance >= best_distance || !is_near(distance, longer)) continue;
    best = names[i];
    best_distance = distance;
  }
  return best;
}
