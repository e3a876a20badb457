// URL pieces: percent-decoding, dot segments, query and form pairs (RFC 3986,
// and application/x-www-form-urlencoded of the WHATWG URL standard).
#ifndef TIDEGATE_PROTO_URL_H
#define TIDEGATE_PROTO_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

// Both write the decoded text to `out`, which has room for text.len bytes, and return how many
// bytes they wrote.
// Of a path: -1 for a '%' without two hex digits, or a decoded NUL.
long url_decode(struct slice text, char *out);
// Of a name or value of a form or query: '+' is a space, and a '%' without two hex digits
// stands for itself (URL standard, "application/x-www-form-urlencoded parsing").
size_t url_decode_form(struct slice text, char *out);

// Removes "." and ".." segments, also in their percent-encoded spellings, in
// place (RFC 3986 5.2.4); `path` starts with '/'. Returns the new length, or
// -1 when ".." would climb above the root, when a percent code is malformed,
// when there is a backslash, or when the path decodes to a control character.
long url_normalize_path(char *path, size_t len);

// Walks "a=1&b=2": takes the next pair off the front of *rest. False at the
// end. name and value are still encoded. Empty pairs are passed over.
bool url_next_pair(struct slice *rest, struct slice *name, struct slice *value);

#endif
