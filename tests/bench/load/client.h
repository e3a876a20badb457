// One connection of the load generator: connects, shakes hands, and then passes
// whole messages to the mode.
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load;

enum client_kind { CLIENT_WS, CLIENT_SSE, CLIENT_HTTP };

enum client_state { CLIENT_IDLE, CLIENT_HANDSHAKE, CLIENT_JOINING, CLIENT_OPEN, CLIENT_CLOSED };

struct bytes {
  char *data;
  size_t len, capacity;
};

struct client {
  struct load *load;
  const char *path;
  int fd;
  enum client_kind kind;
  enum client_state state;
  bool is_stalled;     // never reads once it is open; HTTP: never ends its request head
  bool is_compressed;  // WebSocket: asks for permessage-deflate, and must get it
  bool wants_write;
  unsigned source;       // which of 127.0.0.x it comes from
  struct bytes in, out;  // an incomplete message; what the socket did not take
  uint64_t next;         // counter of the message it expects, or sends
  uint64_t *sent_ns;     // of the messages in flight, when the mode wants them
};

void client_open(struct client *client);
void client_close(struct client *client);
void client_on_event(struct client *client, uint32_t events);

// Queues a message, in the dialect of the load (HTTP: a request). client_flush
// sends all that is queued with one system call.
void client_queue(struct client *client, const char *payload, size_t len);
void client_queue_close(struct client *client);
void client_flush(struct client *client);

void bytes_append(struct bytes *bytes, const char *data, size_t len);

#endif
