// Addresses: what can be listened on, and what the errors say.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/listen.h"

enum { UNACKED_MS = 12345 };

static void refuses_what_is_no_address(void **state) {
  (void)state;
  static const struct {
    const char *address, *says;
  } cases[] = {
      {"nonsense", "is not HOST:PORT"},
      {":80", "is not HOST:PORT"},
      {"::1:80", "is not HOST:PORT"},
      {"[::1]", "is not HOST:PORT"},
      {"[]:80", "is not HOST:PORT"},
      {"127.0.0.1:", "is not HOST:PORT"},
      {"127.0.0.1:x", "the port"},
      {"127.0.0.1:65536", "the port"},
      {"127.0.0.1:-1", "the port"},
      {"tls://127.0.0.1:1", "TLS is not there yet"},
      {"tls://nonsense", "TLS is not there yet"},
      {"unix:", "the path must have"},
      {"unix:/no/such/folder/s", "cannot listen on unix:/no/such/folder/s"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct listener listener;
    char *name = NULL;
    char *error = listen_open(cases[i].address, &listener, 1, UNACKED_MS, &name);
    if (error == NULL) fail_msg("%s was accepted", cases[i].address);
    if (strstr(error, cases[i].says) == NULL) fail_msg("%s: \"%s\"", cases[i].address, error);
    free(error);
  }
}

static void workers_share_a_port_that_others_cannot_take(void **state) {
  (void)state;
  struct listener first[2];
  char *name = NULL;
  assert_null(listen_open("127.0.0.1:0", first, 2, UNACKED_MS, &name));
  assert_true(first[0].fd >= 0 && first[1].fd >= 0 && first[0].fd != first[1].fd);
  struct listener second;
  char *other = NULL;
  char *error = listen_open(name + strlen("http://"), &second, 1, UNACKED_MS, &other);
  assert_non_null(error);
  assert_non_null(strstr(error, "Address already in use"));
  free(error);
  free(name);
  close(first[0].fd);
  close(first[1].fd);
}

// That the kernel then breaks the connection needs a lossy network to be seen.
static void accepted_sockets_give_up_on_peers_that_are_gone(void **state) {
  (void)state;
  struct listener listener;
  char *name = NULL;
  assert_null(listen_open("127.0.0.1:0", &listener, 1, UNACKED_MS, &name));
  struct sockaddr_storage where;
  socklen_t len = sizeof where;
  assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&where, &len), 0);
  int client = socket(where.ss_family, SOCK_STREAM, 0);
  assert_int_equal(connect(client, (struct sockaddr *)&where, len), 0);
  int accepted = accept(listener.fd, NULL, NULL);
  unsigned unacked_ms = 0;
  len = sizeof unacked_ms;
  assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, &len), 0);
  assert_int_equal(unacked_ms, UNACKED_MS);
  free(name);
  close(accepted);
  close(client);
  close(listener.fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_what_is_no_address),
      cmocka_unit_test(workers_share_a_port_that_others_cannot_take),
      cmocka_unit_test(accepted_sockets_give_up_on_peers_that_are_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
