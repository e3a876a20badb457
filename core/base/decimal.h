// Numbers as decimal digits, for where printf would be most of the work.
#ifndef TIDEGATE_BASE_DECIMAL_H
#define TIDEGATE_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_MAX = 20 };  // digits of UINT64_MAX

// Writes the digits of `value`, no NUL. Returns how many: at most DECIMAL_MAX.
size_t decimal_write(uint64_t value, char *out);

#endif
