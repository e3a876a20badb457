// Addresses: what can be listened on, and what the errors say.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    struct listen_place place;
    char *error = listen_open(cases[i].address, &listener, 1, UNACKED_MS, &place);
    if (error == NULL) fail_msg("%s was accepted", cases[i].address);
    if (strstr(error, cases[i].says) == NULL) fail_msg("%s: \"%s\"", cases[i].address, error);
    free(error);
  }
}

static void close_all(struct listener *listeners, size_t count, struct listen_place *place) {
  listen_close(place);
  for (size_t i = 0; i < count; i++) close(listeners[i].fd);
}

// What to pass to listen_open for the same port.
static const char *address_of(const struct listen_place *place) {
  return place->name + strlen("http://");
}

static void workers_share_a_port_that_others_cannot_take(void **state) {
  (void)state;
  static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0"};
  for (size_t i = 0; i < 2; i++) {
    struct listener first[2];
    struct listen_place place, other;
    assert_null(listen_open(addresses[i], first, 2, UNACKED_MS, &place));
    assert_true(first[0].fd >= 0 && first[1].fd >= 0 && first[0].fd != first[1].fd);
    struct listener second;
    char *error = listen_open(address_of(&place), &second, 1, UNACKED_MS, &other);
    assert_non_null(error);
    assert_non_null(strstr(error, address_of(&place)));
    assert_non_null(strstr(error, "Address already in use"));
    free(error);
    close_all(first, 2, &place);
  }
}

// An address of this process alone, and a port of the system's choice: when that is free again,
// no test that runs meanwhile gets it.
static const char *own_address(void) {
  static char text[32];
  unsigned pid = (unsigned)getpid();
  snprintf(text, sizeof text, "127.%u.%u.%u:0", 1 + pid / 62500 % 250, 1 + pid / 250 % 250,
           1 + pid % 250);
  return text;
}

static void a_port_is_free_again_though_connections_linger(void **state) {
  (void)state;
  struct listener first[2], second[2];
  struct listen_place place, again;
  assert_null(listen_open(own_address(), first, 2, UNACKED_MS, &place));
  struct sockaddr_storage where;
  socklen_t len = sizeof where;
  assert_int_equal(getsockname(first[0].fd, (struct sockaddr *)&where, &len), 0);
  int clients[16], accepted[16];
  for (int i = 0; i < 16; i++) {
    clients[i] = socket(where.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(clients[i], (struct sockaddr *)&where, len), 0);
    accepted[i] = -1;
    for (int w = 0; accepted[i] < 0; w = 1 - w) accepted[i] = accept(first[w].fd, NULL, NULL);
  }
  char *address = strdup(address_of(&place));
  close_all(first, 2, &place);
  for (int i = 0; i < 8; i++) close(accepted[i]);  // leave TIME_WAIT behind; the others live on
  for (int i = 0; i < 8; i++) close(clients[i]);
  assert_null(listen_open(address, second, 2, UNACKED_MS, &again));
  for (int i = 8; i < 16; i++) close(accepted[i]), close(clients[i]);
  close_all(second, 2, &again);
  free(address);
}

// ---- servers that start at once ------------------------------------------------

enum { RIVALS = 3, RIVAL_WORKERS = 2, RACES = 150 };

struct rival {
  pthread_barrier_t *start;
  const char *address;
  struct listener listeners[RIVAL_WORKERS];
  struct listen_place place;
  char *error;
};

static void *compete(void *arg) {
  struct rival *rival = arg;
  pthread_barrier_wait(rival->start);
  rival->error =
      listen_open(rival->address, rival->listeners, RIVAL_WORKERS, UNACKED_MS, &rival->place);
  return NULL;
}

// How many of those who start at once get the address.
static int race(const char *address) {
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, RIVALS);
  pthread_t threads[RIVALS];
  struct rival rivals[RIVALS];
  for (int i = 0; i < RIVALS; i++) {
    rivals[i] = (struct rival){.start = &start, .address = address};
    assert_int_equal(pthread_create(&threads[i], NULL, compete, &rivals[i]), 0);
  }
  for (int i = 0; i < RIVALS; i++) pthread_join(threads[i], NULL);
  int winners = 0;
  for (int i = 0; i < RIVALS; i++) {
    if (rivals[i].error == NULL)
      winners++, close_all(rivals[i].listeners, RIVAL_WORKERS, &rivals[i].place);
    else
      assert_non_null(strstr(rivals[i].error, "Address already in use"));
    free(rivals[i].error);
  }
  pthread_barrier_destroy(&start);
  return winners;
}

static void of_servers_that_start_at_once_one_gets_the_port(void **state) {
  (void)state;
  struct listener listener;
  struct listen_place place;
  assert_null(listen_open(own_address(), &listener, 1, UNACKED_MS, &place));
  char *address = strdup(address_of(&place));
  close_all(&listener, 1, &place);
  for (int i = 0; i < RACES; i++) assert_int_equal(race(address), 1);
  free(address);
}

static void of_servers_that_start_at_once_one_gets_the_socket_file(void **state) {
  (void)state;
  char folder[] = "/tmp/tidegate-listen-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char address[64], *path = address + strlen("unix:");
  snprintf(address, sizeof address, "unix:%s/s", folder);
  for (int i = 0; i < RACES; i++) {
    assert_int_equal(race(address), 1);
    assert_int_equal(access(path, F_OK), -1);
    // The file of one that was killed, which all of them find.
    struct listener dead;
    struct listen_place place;
    assert_null(listen_open(address, &dead, 1, UNACKED_MS, &place));
    close(dead.fd);
    assert_int_equal(race(address), 1);
    listen_close(&place);
  }
  assert_int_equal(rmdir(folder), 0);
}

// ---- sockets --------------------------------------------------------------------

static void no_socket_is_for_child_processes(void **state) {
  (void)state;
  char folder[] = "/tmp/tidegate-listen-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char path[64];
  snprintf(path, sizeof path, "unix:%s/s", folder);
  const char *const addresses[] = {"127.0.0.1:0", path};
  for (size_t i = 0; i < 2; i++) {
    struct listener listeners[3];
    struct listen_place place;
    assert_null(listen_open(addresses[i], listeners, 3, UNACKED_MS, &place));
    for (size_t w = 0; w < 3; w++) assert_int_equal(fcntl(listeners[w].fd, F_GETFD), FD_CLOEXEC);
    close_all(listeners, 3, &place);
  }
  assert_int_equal(rmdir(folder), 0);
}

// That the kernel then breaks the connection needs a lossy network to be seen.
static void accepted_sockets_give_up_on_peers_that_are_gone(void **state) {
  (void)state;
  struct listener listener;
  struct listen_place place;
  assert_null(listen_open("127.0.0.1:0", &listener, 1, UNACKED_MS, &place));
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
  close(accepted);
  close(client);
  close_all(&listener, 1, &place);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_what_is_no_address),
      cmocka_unit_test(workers_share_a_port_that_others_cannot_take),
      cmocka_unit_test(a_port_is_free_again_though_connections_linger),
      cmocka_unit_test(of_servers_that_start_at_once_one_gets_the_port),
      cmocka_unit_test(of_servers_that_start_at_once_one_gets_the_socket_file),
      cmocka_unit_test(no_socket_is_for_child_processes),
      cmocka_unit_test(accepted_sockets_give_up_on_peers_that_are_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
