// The lists that a client offers in the opening handshake: the words of their
// grammar (RFC 6455 section 4.3) and the walk over all headers of a name.
#ifndef TIDEGATE_PROTO_WS_LIST_H
#define TIDEGATE_PROTO_WS_LIST_H

#include <stdbool.h>

#include "base/slice.h"
#include "proto/http_request.h"

// Each takes something from the front of *in, with the space before it, which
// may stand between any two words. False, and no word taken, when something
// else comes next.
bool ws_list_take_char(struct slice *in, char c);
bool ws_list_take_token(struct slice *in, struct slice *token);

// Calls take(in, arg) for every element of all headers `name`; it takes its
// element from the front, or returns false when that is malformed. Empty
// elements are skipped (RFC 2616 2.1, whose grammar RFC 6455 uses). False for
// a malformed element, and when there are headers and no element.
bool ws_list_read(const struct http_request *request, const char *name,
                  bool (*take)(struct slice *in, void *arg), void *arg);

#endif
