// Writing JSON by hand: strings, for the few small texts that C makes itself and for the
// values of scripts (script/vm/json_write).
#ifndef TIDEGATE_BASE_JSON_H
#define TIDEGATE_BASE_JSON_H

#include "base/buf.h"

enum { JSON_DEPTH = 1000 };  // of nested arrays and objects, read and written

// How many bytes from the start of the text stand in a JSON string as they are: up to the
// first control character, quote or backslash.
size_t json_plain_bytes(struct slice text);

// Appends the UTF-8 text as a JSON string with its quotes (RFC 8259 section 7), and as the
// inside of one: at most 6 bytes for each.
void json_append_string(struct buf *out, struct slice text);
void json_append_escaped(struct buf *out, struct slice text);

#endif
