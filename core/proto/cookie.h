// Cookies (RFC 6265): reading Cookie headers and writing Set-Cookie values.
#ifndef TIDEGATE_PROTO_COOKIE_H
#define TIDEGATE_PROTO_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

// Takes the next "name=value" off the front of a Cookie header. False at the
// end; pieces without '=' or with an empty name are passed over. A value in
// double quotes loses them.
bool cookie_next(struct slice *rest, struct slice *name, struct slice *value);

struct cookie_options {
  struct slice path;    // empty: "/"
  struct slice domain;  // empty: none
  int64_t max_age_s;    // < 0: a session cookie; 0: delete
  bool secure;
  bool http_only;
  struct slice same_site;  // "Lax", "Strict" or "None" (needs secure); empty: "Lax"
};

// Appends the value of a Set-Cookie header. Returns NULL, or what is wrong
// with an argument (a static text); out is unchanged then.
const char *cookie_write(struct buf *out, struct slice name, struct slice value,
                         const struct cookie_options *options);

#endif
