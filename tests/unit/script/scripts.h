// A folder of scripts that a test writes, and that goes with it.
#ifndef TIDEGATE_TESTS_SCRIPTS_H
#define TIDEGATE_TESTS_SCRIPTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char scripts_dir[64];

static inline void scripts_open(void) {
  strcpy(scripts_dir, "/tmp/tidegate-scripts-XXXXXX");
  assert_non_null(mkdtemp(scripts_dir));
}

static inline void scripts_close(void) {
  char *command = mem_format("rm -rf '%s'", scripts_dir);
  assert_int_equal(system(command), 0);
  free(command);
}

// Makes the folders that it lies in, too.
static inline void scripts_write(const char *name, const char *text) {
  char *path = mem_format("%s/%s", scripts_dir, name);
  for (char *slash = strchr(path + strlen(scripts_dir) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  free(path);
}

#endif
