// Plain sockets: see sock.h.
#include "net/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc's own are places where a thread may be cancelled, which costs two
// atomic operations a call in a program with threads. Nobody cancels ours.
static ssize_t plain_recv_once(int fd, void *data, size_t len) {
  return syscall(SYS_recvfrom, fd, data, len, 0, NULL, NULL);
}
static ssize_t plain_send_once(int fd, const struct iovec *part) {
  return syscall(SYS_sendto, fd, part->iov_base, part->iov_len, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t plain_recv(struct sock *sock, void *data, size_t len) {
  for (;;) {
    ssize_t got = plain_recv_once(sock->fd, data, len);
    if (got > 0) return got;
    if (got == 0) return SOCK_EOF;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? SOCK_AGAIN : SOCK_ERROR;
  }
}

static ssize_t plain_writev(struct sock *sock, struct iovec *parts, int count) {
  for (;;) {
    ssize_t put;
    if (count == 1) {
      put = plain_send_once(sock->fd, parts);
    } else {
      struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
      put = sendmsg(sock->fd, &message, MSG_NOSIGNAL);
    }
    if (put >= 0) return put;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? SOCK_AGAIN : SOCK_ERROR;
  }
}

static void plain_shutdown(struct sock *sock) { shutdown(sock->fd, SHUT_WR); }

static void plain_release(struct sock *sock) { (void)sock; }

static const struct sock_ops plain_ops = {plain_recv, plain_writev, plain_shutdown, plain_release};

void sock_init_plain(struct sock *sock, int fd) { *sock = (struct sock){&plain_ops, fd}; }

bool sock_has_taken(const struct sock *sock, int *untaken) {
  int before = *untaken;
  if (ioctl(sock->fd, SIOCOUTQ, untaken) != 0) *untaken = 0;
  return *untaken < before;
}

void sock_discard(struct sock *sock) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
