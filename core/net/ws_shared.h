// What the WebSocket sessions of a worker share: tools for compression, and the
// bounds of what they may hold together. Header only: ws.c makes it and ends it.
#ifndef TIDEGATE_NET_WS_SHARED_H
#define TIDEGATE_NET_WS_SHARED_H

#include <stdint.h>

#include "net/ws_unfinished.h"
#include "proto/ws_deflate.h"

struct ws_shared {
  // For all messages without context: topic messages and direct ones.
  struct ws_deflater *deflater;
  struct ws_inflater *inflater;  // see ws_parser_feed
  uint64_t context_bytes;        // of the contexts that sessions keep
  struct ws_unfinished_set unfinished;
};

#endif
