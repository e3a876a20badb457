// Server-sent events (WHATWG HTML, section 9.2): fields in, bytes out.
#ifndef TIDEGATE_PROTO_SSE_H
#define TIDEGATE_PROTO_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/message.h"
#include "base/slice.h"

// A field with ptr NULL is left out.
struct sse_event {
  struct slice event;    // no CR, LF or NUL
  struct slice data;     // split into data lines at CR, LF and CRLF
  struct slice id;       // no CR, LF or NUL
  struct slice comment;  // split into comment lines likewise
  int64_t retry_ms;      // < 0: left out
};

// Appends one block, ended by an empty line. Returns NULL, or what is wrong
// (static text), with out unchanged. Text that is not UTF-8 is refused.
// An id or event without data still gets a block of its own. An event with
// only a comment or retry is a valid block; one with no field at all is refused.
const char *sse_write(struct buf *out, const struct sse_event *event);

// The wire form of a message for SSE subscribers, with "id: <epoch>-<seq>";
// nothing for a binary message.
void sse_encode_message(const struct message *m, const char *epoch, struct buf *out);

#endif
