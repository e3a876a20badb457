// Floats as text: see number.h.
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain;

static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static locale_t plain_locale(void) {
  pthread_once(&once, make_plain);
  return plain;
}

double number_read(const char *text) { return strtod_l(text, NULL, plain_locale()); }

void number_plain_thread(void) { uselocale(plain_locale()); }

// Up to 2^53 every whole number is exact, and so is a power of ten up to 10^22: then the
// quotient of the two is what the decimal digits read as.
static const double WHOLE_MAX = 9007199254740992.0;

enum { PLACES_MAX = 9 };

// Numbers as people write them: a few digits behind the point. Returns 0 for others.
static size_t write_short(double number, char *out) {
  double size = fabs(number), power = 1;
  if (size != 0 && (size < 1e-4 || size >= 1e15)) return 0;
  for (size_t places = 0; places <= PLACES_MAX; places++, power *= 10) {
    double whole = nearbyint(size * power);
    if (whole > WHOLE_MAX) return 0;
    if (whole / power != size) continue;
    char digits[DECIMAL_MAX];
    size_t count = decimal_write((uint64_t)whole, digits), len = 0;
    if (signbit(number)) out[len++] = '-';
    size_t before = count > places ? count - places : 0;
    if (before == 0) out[len++] = '0';
    memcpy(out + len, digits, before);
    len += before;
    if (places == 0) return len;
    out[len++] = '.';
    for (size_t i = count; i < places; i++) out[len++] = '0';
    memcpy(out + len, digits + before, count - before);
    return len + count - before;
  }
  return 0;
}

size_t number_write(double number, char out[NUMBER_MAX]) {
  size_t len = write_short(number, out);
  if (len > 0) {
    out[len] = '\0';
    return len;
  }
  locale_t before = uselocale(plain_locale());
  for (int digits = 15; digits <= 17; digits++) {
    len = (size_t)snprintf(out, NUMBER_MAX, "%.*g", digits, number);
    if (number_read(out) == number) break;
  }
  uselocale(before);
  return len;
}
