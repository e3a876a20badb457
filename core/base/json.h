// Writing JSON text by hand, for the few small texts that C makes itself.
// Scripts have lua-cjson.
#ifndef TIDEGATE_BASE_JSON_H
#define TIDEGATE_BASE_JSON_H

#include "base/buf.h"

// Appends the UTF-8 text as a JSON string with its quotes (RFC 8259 section 7).
void json_append_string(struct buf *out, struct slice text);

#endif
