// JSON beside lua-cjson, which scripts have: writing by hand the few small texts that C
// makes itself, and the rules of RFC 8259 that lua-cjson does not know.
#ifndef TIDEGATE_BASE_JSON_H
#define TIDEGATE_BASE_JSON_H

#include "base/buf.h"

// Appends the UTF-8 text as a JSON string with its quotes (RFC 8259 section 7).
void json_append_string(struct buf *out, struct slice text);

// Of a text that lua-cjson takes: why it is no JSON after all, or NULL. JSON is UTF-8 (8.1),
// has no control characters in strings (7) and digits on both sides of a point (6), and
// does not end at a NUL (2).
const char *json_find_fault(struct slice text);

#endif
