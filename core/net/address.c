// Addresses as users write them: see address.h.
#include "net/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"

enum { HOST_BYTES = 256 };

// Splits "host:port" or "[host]:port"; false when it is neither.
static bool split_host_port(const char *address, char *host, size_t host_size, const char **port) {
  const char *colon = strrchr(address, ':');
  if (colon == NULL || colon == address || colon[1] == '\0') return false;
  const char *start = address;
  const char *end = colon;
  if (*start == '[') {
    if (end[-1] != ']') return false;
    start++;
    end--;
  } else if (memchr(start, ':', (size_t)(end - start)) != NULL) {
    return false;  // an IPv6 address must stand in brackets
  }
  size_t len = (size_t)(end - start);
  if (len == 0 || len >= host_size) return false;
  memcpy(host, start, len);
  host[len] = '\0';
  *port = colon + 1;
  return true;
}

const char *address_unix_path(const char *address) {
  return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

static char *check_unix(const char *address, const char *path) {
  enum { PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path };
  if (*path != '\0' && strlen(path) < PATH_SIZE) return NULL;
  return mem_format("\"%s\": the path must have 1 to %d bytes", address, PATH_SIZE - 1);
}

// A port alone is the slip that users of other servers make.
static char *unknown_form(const char *address) {
  const char *port = address + (*address == ':');
  if (*port != '\0' && port[strspn(port, "0123456789")] == '\0')
    return mem_format("\"%s\" is not HOST:PORT: 127.0.0.1:%s serves this machine, 0.0.0.0:%s all",
                      address, port, port);
  return mem_format("\"%s\" is not HOST:PORT, [IPv6]:PORT or unix:PATH", address);
}

static char *check_tcp(const char *address) {
  char host[HOST_BYTES];
  const char *port;
  if (!split_host_port(address, host, sizeof host, &port)) return unknown_form(address);
  bool is_number = port[strspn(port, "0123456789")] == '\0';
  if (!is_number || strtol(port, NULL, 10) > 65535) {
    return mem_format("\"%s\": the port is not a number from 0 to 65535", address);
  }
  return NULL;
}

char *address_check(const char *address) {
  const char *path = address_unix_path(address);
  if (path != NULL) return check_unix(address, path);
  if (strncmp(address, "tls://", 6) == 0) {
    return mem_format("\"%s\": TLS is not there yet; put a proxy in front", address);
  }
  return check_tcp(address);
}

char *address_resolve(const char *address, struct sockaddr_storage *out, socklen_t *out_len) {
  char host[HOST_BYTES];
  const char *port;
  if (!split_host_port(address, host, sizeof host, &port)) return unknown_form(address);
  struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  struct addrinfo *found;
  int failure = getaddrinfo(host, port, &hints, &found);
  if (failure != 0) return mem_format("\"%s\": %s", address, gai_strerror(failure));
  memcpy(out, found->ai_addr, found->ai_addrlen);
  *out_len = found->ai_addrlen;
  freeaddrinfo(found);
  return NULL;
}

char *address_name(const struct sockaddr_storage *bound) {
  char host[64] = "";
  char port[8] = "";
  socklen_t len =
      bound->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  getnameinfo((const struct sockaddr *)bound, len, host, sizeof host, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  return mem_format(bound->ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}
