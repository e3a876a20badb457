// A process in the locale of Germany, which has a comma where numbers have a point. It is made for
// the test, as most machines lack it.
#ifndef TIDEGATE_TESTS_GERMAN_H
#define TIDEGATE_TESTS_GERMAN_H

#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// False where the sources of locales are not installed.
static inline bool german_start(void) {
  char dir[] = "/tmp/tidegate-locale-XXXXXX";
  if (mkdtemp(dir) == NULL) return false;
  char *make = mem_format("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", dir);
  char *drop = mem_format("rm -r %s", dir);
  bool is_made = system(make) == 0;
  setenv("LOCPATH", dir, 1);
  bool is_set = is_made && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
  unsetenv("LOCPATH");
  bool is_dropped = system(drop) == 0;
  free(make);
  free(drop);
  return is_set && is_dropped && strcmp(localeconv()->decimal_point, ",") == 0;
}

static inline void german_end(void) { setlocale(LC_ALL, "C"); }

#endif
