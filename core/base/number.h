// Floats as decimal text, whatever the locale of the process is: strtod and printf would
// take and write the decimal point of the locale. Scripts cannot set one (os.setlocale), but a
// library that they load may.
#ifndef TIDEGATE_BASE_NUMBER_H
#define TIDEGATE_BASE_NUMBER_H

#include <stddef.h>

enum { NUMBER_MAX = 32 };  // bytes of one number with its NUL

// Writes the finite number with the fewest digits that read back as the same, at most 17.
// A whole one has no point while it has at most 15 digits. Returns its length.
size_t number_write(double number, char out[NUMBER_MAX]);

// The number at the start of the text: as strtod.
double number_read(const char *text);

// This thread has the locale "C" from now on, also in strtod and printf, whatever setlocale does.
// For every thread that runs scripts.
void number_plain_thread(void);

#endif
