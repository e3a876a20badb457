// A peer without a network: a struct sock whose input the test provides and whose writes
// it reads, and which takes no more bytes than there is `room` for. Its descriptor is an
// eventfd that is always readable and writable, so a worker's epoll accepts it; what
// really happened is told by hand, as epoll would (edge-triggered).
#ifndef TIDEGATE_TESTS_FAKE_PEER_H
#define TIDEGATE_TESTS_FAKE_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http1.h"
#include "net/session.h"
#include "net/worker.h"

enum { FAKE_FDS = 1024 };

struct fake_peer {
  int fd;
  struct session *session;  // NULL once the connection is gone
  struct buf input;         // what the server has not read yet
  struct buf output;        // what the server wrote
  size_t room;              // bytes that the socket still takes
  unsigned writes;          // that took something
  bool has_ended;           // the end follows the input
  bool is_broken;
  bool is_shut;  // the server has ended its side
};

static struct fake_peer *fake_peers[FAKE_FDS];

static inline ssize_t fake_peer_recv(struct sock *sock, void *data, size_t len) {
  struct fake_peer *peer = fake_peers[sock->fd];
  size_t got = buf_len(&peer->input) < len ? buf_len(&peer->input) : len;
  if (peer->is_broken) return SOCK_ERROR;
  if (got == 0) return peer->has_ended ? SOCK_EOF : SOCK_AGAIN;
  memcpy(data, peer->input.data + peer->input.start, got);
  buf_consume(&peer->input, got);
  return (ssize_t)got;
}

static inline ssize_t fake_peer_writev(struct sock *sock, struct iovec *parts, int count) {
  struct fake_peer *peer = fake_peers[sock->fd];
  size_t put = 0;
  if (peer->is_broken) return SOCK_ERROR;
  for (int i = 0; i < count; i++) {
    size_t bytes = parts[i].iov_len < peer->room ? parts[i].iov_len : peer->room;
    if (bytes > 0) buf_append(&peer->output, parts[i].iov_base, bytes);
    peer->room -= bytes;
    put += bytes;
  }
  if (put > 0) peer->writes++;
  return put > 0 ? (ssize_t)put : SOCK_AGAIN;
}

static inline void fake_peer_shutdown(struct sock *sock) { fake_peers[sock->fd]->is_shut = true; }

static inline void fake_peer_release(struct sock *sock) {
  fake_peers[sock->fd]->session = NULL;
  fake_peers[sock->fd] = NULL;
}

static const struct sock_ops fake_peer_ops = {fake_peer_recv, fake_peer_writev, fake_peer_shutdown,
                                              fake_peer_release};

// ---- making one ------------------------------------------------------------

static inline int fake_peer_fd(void) {
  int fd = eventfd(1, EFD_NONBLOCK);
  assert_in_range(fd, 0, FAKE_FDS - 1);
  return fd;
}

static inline struct fake_peer *fake_peer_take_over(struct session *session) {
  struct fake_peer *peer = mem_zalloc(sizeof *peer);
  peer->fd = session->conn.sock.fd;
  peer->session = session;
  peer->room = SIZE_MAX;
  session->conn.sock.ops = &fake_peer_ops;
  fake_peers[peer->fd] = peer;
  return peer;
}

// A session that has not begun, or a connection that speaks HTTP.
static inline struct fake_peer *fake_peer_new(struct worker *worker, const struct conn_ops *ops) {
  return fake_peer_take_over(session_new(worker, fake_peer_fd(), ops));
}

static inline struct fake_peer *fake_peer_open_http(struct worker *worker) {
  http1_open(worker, fake_peer_fd());
  return fake_peer_take_over(session_of(worker->conns.items[worker->conns.count - 1]));
}

// When the connection is gone.
static inline void fake_peer_free(struct fake_peer *peer) {
  assert_null(peer->session);
  buf_free(&peer->input);
  buf_free(&peer->output);
  free(peer);
}

// ---- what it does ------------------------------------------------------------

static inline void fake_peer_tell(struct fake_peer *peer, uint32_t events) {
  if (peer->session == NULL) return;
  struct poll_watch *watch = &peer->session->conn.watch;
  watch->ready(watch, events);
}

static inline void fake_peer_send(struct fake_peer *peer, const char *bytes, size_t len) {
  buf_append(&peer->input, bytes, len);
  fake_peer_tell(peer, EPOLLIN);
}

static inline void fake_peer_send_text(struct fake_peer *peer, const char *text) {
  fake_peer_send(peer, text, strlen(text));
}

// A WebSocket frame with a mask of zeros, 125 bytes at most.
static inline void fake_peer_send_frame(struct fake_peer *peer, unsigned opcode, const char *data,
                                        size_t len) {
  char frame[6 + 125] = {(char)(0x80 | opcode), (char)(0x80 | len)};
  memcpy(frame + 6, data, len);
  fake_peer_send(peer, frame, 6 + len);
}

static inline void fake_peer_end(struct fake_peer *peer) {
  peer->has_ended = true;
  fake_peer_tell(peer, EPOLLIN | EPOLLRDHUP);
}

static inline void fake_peer_break(struct fake_peer *peer) {
  peer->is_broken = true;
  fake_peer_tell(peer, EPOLLIN | EPOLLHUP);
}

static inline void fake_peer_give_room(struct fake_peer *peer, size_t bytes) {
  peer->room = bytes;
  fake_peer_tell(peer, EPOLLOUT);
}

// ---- what came ---------------------------------------------------------------

static inline const char *fake_peer_text(struct fake_peer *peer) {
  buf_append_char(&peer->output, '\0');
  buf_chop(&peer->output, 1);
  return peer->output.data + peer->output.start;
}

static inline bool fake_peer_has(struct fake_peer *peer, const char *text) {
  return memmem(fake_peer_text(peer), buf_len(&peer->output), text, strlen(text)) != NULL;
}

static inline void fake_peer_clear(struct fake_peer *peer) { buf_clear(&peer->output); }

#endif
