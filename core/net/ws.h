// WebSocket sessions (RFC 6455).
#ifndef TIDEGATE_NET_WS_H
#define TIDEGATE_NET_WS_H

#include "base/message.h"
#include "net/app.h"
#include "net/session.h"
#include "proto/ws_handshake.h"

// Before the worker has connections, and when it has none any more.
void ws_open_worker(struct worker *worker);
void ws_close_worker(struct worker *worker);

// Whether permessage-deflate (RFC 7692) is spoken with clients that offer it.
enum ws_compress {
  WS_COMPRESS_OFF,
  WS_COMPRESS_ON,       // each message by itself
  WS_COMPRESS_CONTEXT,  // a message may refer to those before it (context takeover)
};

struct ws_options {
  uint64_t heartbeat_ms;  // 0: none
  uint32_t max_message;   // bytes
  struct slice protocol;  // chosen subprotocol, empty for none
  bool has_envelope;      // topic messages come as ws_encode_envelope writes them
  enum ws_compress compress;
};

// Accepts the upgrade of a request that ws_handshake_check approved with
// `handshake`: sends 101 and turns the call into a session. On success
// the call is over (request_closed was called) and *session lives until
// app->closed; input that came early is delivered in the next turn.
// HTTP_SENT or HTTP_SEND_*.
enum http_send_status ws_accept(struct http_call *call, const struct ws_handshake *handshake,
                                const struct ws_options *options, const struct http_field *fields,
                                size_t count, struct session **session);

// Queues a message. SESSION_OK, _CLOSED, _FULL or _NOT_UTF8.
enum session_status ws_send(struct session *session, enum message_kind kind, struct slice data);
// Queues a ping. One goes into a full queue, too; further ones are _FULL until the
// queue has drained. _INVALID: over 125 bytes.
enum session_status ws_ping(struct session *session, struct slice data);

// Starts the close handshake, whatever waits in the queue; app->closed is called when it is done
// or after a few seconds. code 0: none given. _INVALID: a code that must not be sent.
enum session_status ws_close(struct session *session, int code, struct slice reason);

#endif
