// Listeners: addresses parsed, sockets bound. Every worker has its own
// SO_REUSEPORT socket per TCP address, so the kernel spreads connections; a
// unix socket is one socket that all workers accept from.
#ifndef TIDEGATE_NET_LISTEN_H
#define TIDEGATE_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

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
  bool is_short;  // of descriptors, since somebody had to wait for one: logged once
};

// What is wrong with how `address` is written, as listen_open takes it; NULL when nothing
// is. The caller frees it. Looks no name up and touches no file.
char *listen_check(const char *address);

// Binds `address` ("127.0.0.1:8080", "[::]:8080", "localhost:0", "unix:/path")
// for `count` workers: out[i] gets the i-th socket, listening, non-blocking.
// Port 0 lets the system pick one port for all. A port that another process
// has bound is an error, also when that one would share it. *name is what to
// print ("http://127.0.0.1:8080"), owned by the caller. A TCP connection breaks
// when what was sent stays unacknowledged for unacked_ms. Returns NULL or an
// error text that the caller frees; nothing is left open then.
char *listen_open(const char *address, struct listener *out, size_t count, unsigned unacked_ms,
                  char **name);

// Starts accepting on the worker's loop / stops and closes the socket.
void listener_start(struct listener *listener, struct worker *worker, listener_accepted *accepted);
void listener_stop(struct listener *listener);

// Removes the file of a unix socket address (at stop); no-op for TCP.
void listen_unlink(const char *address);

#endif
