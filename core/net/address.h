// Addresses to listen on, as users write them: "127.0.0.1:8080", "[::]:8080",
// "localhost:0", "unix:/path".
#ifndef TIDEGATE_NET_ADDRESS_H
#define TIDEGATE_NET_ADDRESS_H

#include <sys/socket.h>

// What is wrong with how `address` is written; NULL when nothing is. The caller frees it.
// Looks no name up and touches no file.
char *address_check(const char *address);

// The path of a unix socket, in `address`; NULL if it is another kind.
const char *address_unix_path(const char *address);

// Where HOST:PORT is: fills *out and its length. Looks names up, which may take its time.
// NULL, or an error that the caller frees.
char *address_resolve(const char *address, struct sockaddr_storage *out, socklen_t *out_len);

// "http://127.0.0.1:8080", which the caller frees.
char *address_name(const struct sockaddr_storage *bound);

#endif
