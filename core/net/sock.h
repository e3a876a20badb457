// A stream socket behind four functions, so that nothing above knows whether
// it is plain or TLS.
#ifndef TIDEGATE_NET_SOCK_H
#define TIDEGATE_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

// recv and writev return bytes moved, or one of the codes below. Readiness is
// edge-triggered (poll.h): a recv of less than was asked for must have left
// nothing behind, and a writev of less must have met a full socket.
enum { SOCK_AGAIN = -1, SOCK_EOF = -2, SOCK_ERROR = -3 };

enum { SOCK_LINGER_MS = 2000 };  // how long a peer may take to see our end, once we have shut down

struct sock_ops;

struct sock {
  const struct sock_ops *ops;  // a layer with a state (TLS) has them at its head
  int fd;
};

struct sock_ops {
  ssize_t (*recv)(struct sock *sock, void *data, size_t len);
  ssize_t (*writev)(struct sock *sock, struct iovec *parts, int count);
  void (*shutdown)(struct sock *sock);  // no more writes; reads go on
  void (*release)(struct sock *sock);   // frees a layer's state; the owner closes the descriptor
};

void sock_init_plain(struct sock *sock, int fd);

// Whether the peer has taken some of what waits in the kernel since the last
// call, which left in `untaken` how much it was (0 before the first). What was
// written meanwhile hides it: ask only about a socket that is full.
bool sock_has_taken(const struct sock *sock, int *untaken);

// Has closing the descriptor drop what still waits in the kernel: the peer gets
// a reset, and not the end behind all that it does not take.
void sock_discard(struct sock *sock);

static inline ssize_t sock_recv(struct sock *sock, void *data, size_t len) {
  return sock->ops->recv(sock, data, len);
}
static inline ssize_t sock_writev(struct sock *sock, struct iovec *parts, int count) {
  return sock->ops->writev(sock, parts, count);
}
static inline void sock_shutdown(struct sock *sock) { sock->ops->shutdown(sock); }
static inline void sock_release(struct sock *sock) { sock->ops->release(sock); }

#endif
