// A WebSocket session on a connection (RFC 6455).
#ifndef TIDEGATE_NET_WS_CONN_H
#define TIDEGATE_NET_WS_CONN_H

#include "base/message.h"
#include "net/http_conn.h"
#include "proto/ws_handshake.h"

enum session_status {
  SESSION_OK = 0,
  SESSION_CLOSED = -1,    // the session is over or closing
  SESSION_FULL = -2,      // the send queue's bound is reached; nothing was queued
  SESSION_NOT_UTF8 = -3,  // text must be UTF-8
  SESSION_INVALID = -4,   // an argument that the protocol forbids
};

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
// `handshake`: sends 101 and turns the connection into a session. On success
// `http` is gone (request_closed was called) and the session lives until
// app->closed; input that came early is delivered in the next turn.
// HTTP_SENT or HTTP_SEND_*.
enum http_send_status ws_accept(struct http_conn *http, const struct ws_handshake *handshake,
                                const struct ws_options *options, const struct http_field *fields,
                                size_t count, struct conn **conn);

// Queues a message. SESSION_OK, _CLOSED, _FULL or _NOT_UTF8.
enum session_status ws_send(struct conn *conn, enum message_kind kind, struct slice data);
// Queues a ping. One goes into a full queue, too; further ones are _FULL until the
// queue has drained. _INVALID: over 125 bytes.
enum session_status ws_ping(struct conn *conn, struct slice data);

// Ends the session for what the peer did or did not; app->closed is called at once.
void ws_fail(struct conn *conn, int code, const char *reason);

// Starts the close handshake, whatever waits in the queue; app->closed is called when it is done
// or after a few seconds. code 0: none given. _INVALID: a code that must not be sent.
enum session_status ws_close(struct conn *conn, int code, struct slice reason);

#endif
