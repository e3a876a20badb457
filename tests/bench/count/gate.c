// A server and its clients in one thread: see gate.h.
#include "gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "count.h"
#include "net/http1.h"
#include "net/listen.h"
#include "net/server.h"
#include "net/turn.h"
#include "script/bind/modules.h"
#include "script/reload/bundle.h"
#include "script/serve/app.h"

enum { CLIENTS_MAX = 256, TURNS_MAX = 100000, QUIET_TURNS = 4 };

static struct {
  struct config config;
  struct server server;
  struct app app;
  struct script_start start;
  char path[64];
  int clients[CLIENTS_MAX];
  size_t client_count;
} gate;

static void set(const char *key, const char *value) {
  char *error = config_set(&gate.config, config_key_find(key, strlen(key)), CONFIG_FLAG, value);
  count_expect(error == NULL, error);
}

static void expect_none(const char *error) { count_expect(error == NULL, error); }

static void unlink_socket(void) { unlink(gate.path); }

// The server as main.c makes it, but its worker gets no thread.
void gate_start(const char *scripts) {
  char address[80], *error = NULL;
  // A name of fixed length: the stack, and so what lies on it, is the same in every run.
  snprintf(gate.path, sizeof gate.path, "/tmp/tidegate-count-%010d", (int)getpid());
  snprintf(address, sizeof address, "unix:%s", gate.path);
  atexit(unlink_socket);  // also when something is not as expected
  config_init(&gate.config);
  config_clear_listen(&gate.config);
  set("listen", address);
  set("workers", "1");
  // Below callgrind time is long, and differs from run to run.
  set("turn_time", "1");
  set("slow_turn", "0");
  set("log_level", "warn");
  gate.start = (struct script_start){.dir = scripts, .modules = script_modules};
  gate.start.bundle = bundle_load(scripts, NULL, &error);
  expect_none(error);
  gate.app = script_app(&gate.start);
  error = server_init(&gate.server, &gate.config, &gate.app);
  expect_none(gate.start.error);
  expect_none(error);
  bundle_unref(gate.start.bundle);
  struct worker *worker = &gate.server.workers[0];
  listener_start(&worker->listeners[0], worker, http1_open);
  gate_exchange(0, false);
}

void gate_stop(void) {
  while (gate.client_count > 0) gate_close(gate.clients[0]);
  server_stop(&gate.server);
  turn_loop(&gate.server.workers[0]);
  server_free(&gate.server);
  config_free(&gate.config);
}

int gate_connect(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, gate.path, sizeof gate.path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  count_expect(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "no connection");
  count_expect(gate.client_count < CLIENTS_MAX, "too many clients");
  return gate.clients[gate.client_count++] = fd;
}

void gate_send(int client, const char *data, size_t len) {
  count_expect(send(client, data, len, MSG_NOSIGNAL) == (ssize_t)len, "the socket is full");
}

static size_t read_all(int client) {
  static char bytes[1 << 16];
  size_t total = 0;
  for (ssize_t got; (got = recv(client, bytes, sizeof bytes, 0)) != -1; total += (size_t)got)
    count_expect(got > 0, "the server closed a connection");
  return total;
}

static void turn(void *worker) { turn_once(worker, 0); }

size_t gate_exchange(size_t expected, bool is_counted) {
  struct worker *worker = &gate.server.workers[0];
  size_t total = 0;
  int quiet = 0;
  for (int turns = 0; expected > 0 ? total < expected : quiet < QUIET_TURNS; turns++) {
    count_expect(turns < TURNS_MAX, "the server does not answer");
    if (is_counted)
      count_measure(turn, worker);
    else
      turn(worker);
    size_t before = total;
    for (size_t i = 0; i < gate.client_count; i++) total += read_all(gate.clients[i]);
    quiet = total > before ? 0 : quiet + 1;
  }
  count_expect(expected == 0 || total == expected, "more came than was due");
  return total;
}

void gate_close(int client) {
  close(client);
  for (size_t i = 0; i < gate.client_count; i++) {
    if (gate.clients[i] == client) gate.clients[i] = gate.clients[--gate.client_count];
  }
}

void gate_turn(void) { turn(&gate.server.workers[0]); }

size_t gate_conn_count(void) { return gate.server.workers[0].conns.count; }

struct worker *gate_worker(void) {
  return &gate.server.workers[0];
}
