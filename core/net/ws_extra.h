// What few WebSocket sessions have beside their struct conn: input that came
// before its turn, a message that is under way, and contexts of permessage-deflate
// that are kept from message to message. Whatever else compresses is the worker's.
#ifndef TIDEGATE_NET_WS_EXTRA_H
#define TIDEGATE_NET_WS_EXTRA_H

#include <stddef.h>

#include "base/buf.h"
#include "net/ws_unfinished.h"
#include "proto/ws_deflate.h"
#include "proto/ws_extensions.h"

struct conn;

struct ws_extra {
  struct buf early;  // input that is to be read in the next turn
  struct ws_unfinished unfinished;
  struct ws_deflater *deflater;  // NULL: the worker's
  struct ws_inflater *inflater;  // at hand only between messages, see ws_parser_feed
  bool keeps_inflater;           // false: the worker's
  size_t context_bytes;          // counted in worker->context_bytes
};

struct ws_extra *ws_extra_of(struct conn *conn);  // made on first use
void ws_extra_free(struct conn *conn);
void ws_extra_tidy(struct conn *conn);  // lets go of it when it holds nothing

// Keeps input, behind what is kept already, for ops->go_on in the next turn.
void ws_extra_keep(struct conn *conn, const char *data, size_t len);

// Decides on an offer of permessage-deflate. wants_context: contexts are kept as
// far as the client allows and the worker's bound for their memory does.
struct ws_deflate_terms ws_extra_agree(struct conn *conn, const struct ws_deflate_terms *offer,
                                       bool wants_context);

// The deflater for a message of so many bytes, NULL when it has to go
// uncompressed.
struct ws_deflater *ws_extra_deflater(struct conn *conn, size_t bytes);
// The place of the inflater for ws_parser_feed.
struct ws_inflater **ws_extra_inflater(struct conn *conn);

#endif
