// Bytes as text: base64, base64url and hex (RFC 4648 sections 4, 5 and 8). Reading is strict,
// so that bytes have one spelling, which signatures need: only the characters of the alphabet
// (hex in either case), unused bits zero, padding where the alphabet has it and nowhere else.
#ifndef TIDEGATE_BASE_BASE64_H
#define TIDEGATE_BASE_BASE64_H

#include "base/slice.h"

enum base64_alphabet {
  BASE64,      // with padding
  BASE64_URL,  // without
};

// The most bytes that the functions write.
static inline size_t base64_room(size_t bytes) { return (bytes + 2) / 3 * 4; }
static inline size_t base64_read_room(size_t chars) { return chars / 4 * 3 + 3; }

// Write to out, no NUL. Return how many bytes.
size_t base64_write(enum base64_alphabet alphabet, struct slice bytes, char *out);
size_t hex_write(struct slice bytes, char *out);  // twice as many, lower case

// Return how many bytes were written to out, -1 when the text is none of this form.
long base64_read(enum base64_alphabet alphabet, struct slice text, char *out);
long hex_read(struct slice text, char *out);  // half as many

#endif
