// A descriptor in reserve: so that a connection that matters, such as the one of
// `tidegate reload`, is accepted when the process has no other left.
#ifndef TIDEGATE_NET_SPARE_FILE_H
#define TIDEGATE_NET_SPARE_FILE_H

struct spare_file {
  int fd;  // -1: in use, or the system gave none yet
};

void spare_file_open(struct spare_file *spare);
void spare_file_close(struct spare_file *spare);

// accept4 with SOCK_CLOEXEC and `flags`. Gives the reserve up for the connection when there is
// no other descriptor, and fills it again in the first call after one is free. Returns -1 with
// errno. After EMFILE or ENFILE the caller leaves the listener alone for a while: it stays
// readable.
int spare_file_accept(struct spare_file *spare, int listener, int flags);

#endif
