// The words after `tidegate` on the command line: flags, each a setting, and a folder.
#ifndef TIDEGATE_BASE_ARGUMENTS_H
#define TIDEGATE_BASE_ARGUMENTS_H

#include <stdbool.h>

#include "base/config.h"

enum arguments_ask { ARGUMENTS_RUN, ARGUMENTS_HELP, ARGUMENTS_VERSION };

// The flags that are no settings, without dashes.
enum { ARGUMENTS_OTHERS = 3 };
extern const char *const arguments_others[];

struct arguments {
  struct config config;  // from config_init on; gets the flags
  const char *dir;       // the first word that is no flag, or NULL
  const char *second;    // the second one, or NULL
  bool checks;           // --check
  enum arguments_ask asks;
};

// Fills *out, from zeroes and config_init. Borrows argv. Returns NULL, or what is wrong, which
// names the flag and, if it is unknown, the nearest; the caller frees it. --help and --version
// end the parsing.
char *arguments_parse(struct arguments *out, int argc, char **argv);

// Prints what --help or --version ask for; `usage` are the first lines of the help.
void arguments_print(const struct arguments *args, const char *usage);

#endif
