// Listeners: sockets bound, connections accepted. Every worker has its own
// SO_REUSEPORT socket per TCP address, so the kernel spreads connections; a
// unix socket is one socket that all workers accept from.
#ifndef TIDEGATE_NET_LISTEN_H
#define TIDEGATE_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wheel.h"
#include "net/poll.h"

struct worker;

// Takes over a connection that was just accepted.
typedef void listener_accepted(struct worker *worker, int fd);

struct listener {
  struct poll_watch watch;
  struct worker *worker;
  listener_accepted *accepted;
  struct wheel_timer retry;  // accepting again after descriptors ran out
  int fd;
  bool is_open;
  bool is_short;          // of descriptors, since somebody had to wait for one: was logged
  uint64_t next_note_ms;  // when the next shortage may be logged
};

// An address that is listened on.
struct listen_place {
  char *name;  // what to print: "http://127.0.0.1:8080"
  char *path;  // of the socket file; NULL for TCP
  int file;    // that file
};

// Binds `address`, as address.h has it, for `count` workers: out[i] gets the i-th socket,
// listening, non-blocking. Port 0 lets the system pick one port for all. A port that another
// process has bound is an error, also when that one would share it or starts at the same
// time. A TCP connection breaks when what was sent stays unacknowledged for unacked_ms.
// Returns NULL, and *opened is to be closed by listen_close; or an error text that the caller
// frees, and nothing is left open.
char *listen_open(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                  struct listen_place *opened);

// Removes the file of a unix socket, if it is still the one that was made, and frees what
// *place has. The sockets are the listeners' own.
void listen_close(struct listen_place *place);

// Starts accepting on the worker's loop / stops, if it was started, and closes the socket.
void listener_start(struct listener *listener, struct worker *worker, listener_accepted *accepted);
void listener_stop(struct listener *listener);

#endif
