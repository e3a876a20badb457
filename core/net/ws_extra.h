// What few WebSocket sessions have beside their struct session: input that came
// before its turn, a message that is under way, and contexts of permessage-deflate
// that are kept from message to message. Whatever else compresses is the worker's.
#ifndef TIDEGATE_NET_WS_EXTRA_H
#define TIDEGATE_NET_WS_EXTRA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/ws_unfinished.h"
#include "proto/ws_deflate.h"
#include "proto/ws_extensions.h"

struct session;
struct worker;

struct ws_extra {
  struct session *session;  // whose it is
  struct buf early;         // input that is to be read in the next turn
  size_t early_bytes;       // see worker_hold
  struct ws_unfinished unfinished;
  struct ws_deflater *deflater;  // NULL: the worker's
  struct ws_inflater *inflater;  // at hand only between messages, see ws_parser_feed
  bool keeps_inflater;           // false: the worker's
  size_t context_bytes;          // counted in ws_shared.context_bytes
};

struct ws_extra *ws_extra_of(struct session *session);  // made on first use
void ws_extra_free(struct session *session);
void ws_extra_tidy(struct session *session);  // lets go of it when it holds nothing

// Keeps input, behind what is kept already, for ops->go_on. False when that asks for more than is
// left of message_memory.
bool ws_extra_keep(struct session *session, const char *data, size_t len);
// Takes it out; what is left of it is put back.
struct buf ws_extra_take_early(struct session *session);
void ws_extra_put_back(struct session *session, struct buf early);

// After input, with whether a message ended in it: what is under way now is another one then.
// False when it asks for more than is left of message_memory.
bool ws_extra_note_unfinished(struct session *session, bool ended_one);
// Before the end of the session's state.
void ws_extra_forget_unfinished(struct session *session);

// Decides on an offer of permessage-deflate. wants_context: contexts are to be kept
// as far as the client allows and the worker's bound for their memory does.
struct ws_deflate_terms ws_extra_agree(const struct worker *worker,
                                       const struct ws_deflate_terms *offer, bool wants_context);
// The session speaks by these terms from now on.
void ws_extra_take_terms(struct session *session, const struct ws_deflate_terms *terms);

// The deflater for a message of so many bytes, NULL when it has to go
// uncompressed.
struct ws_deflater *ws_extra_deflater(struct session *session, size_t bytes);
// The place of the inflater for ws_parser_feed.
struct ws_inflater **ws_extra_inflater(struct session *session);

#endif
