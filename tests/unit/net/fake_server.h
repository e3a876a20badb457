// A server whose workers have no threads: the test makes the turns, and moves the time.
#ifndef TIDEGATE_TESTS_FAKE_SERVER_H
#define TIDEGATE_TESTS_FAKE_SERVER_H

#include "base/fake_clock.h"
#include "net/fake_log.h"
#include "net/fake_peer.h"
#include "net/server.h"
#include "net/turn.h"

enum { FAKE_TURNS = 6 };  // after which all has come to rest

struct fake_server {
  struct config config;
  struct app app;
  struct server server;
  struct worker *worker;  // the first
};

static struct fake_server fake;

static inline void fake_server_set(const char *key, const char *value) {
  char *error = config_set(&fake.config, config_key_find(key, strlen(key)), CONFIG_FLAG, value);
  if (error != NULL) fail_msg("%s: %s", key, error);
}

static inline void fake_server_configure(void) {
  config_init(&fake.config);
  config_clear_listen(&fake.config);
  fake_server_set("workers", "1");
}

// After fake_server_configure and what the test sets. False when the app does not start.
static inline bool fake_server_start(const struct app *app) {
  fake.app = *app;
  char *error = server_init(&fake.server, &fake.config, &fake.app);
  fake.worker = &fake.server.workers[0];
  free(error);
  return error == NULL;
}

static inline void fake_turns(void) {
  for (int i = 0; i < FAKE_TURNS; i++) {
    for (size_t w = 0; w < fake.server.worker_count; w++) turn_once(&fake.server.workers[w], 0);
  }
}

// All that is due meanwhile happens at the end of it.
static inline void fake_wait_ms(uint64_t ms) {
  fake_turns();
  fake_clock_ms += ms;
  fake_turns();
}

// Cuts all connections, and ends the workers.
static inline void fake_server_stop(void) {
  for (size_t w = 0; w < fake.server.worker_count; w++) {
    struct worker *worker = &fake.server.workers[w];
    for (size_t i = 0; i < worker->conns.count; i++) conn_close(worker->conns.items[i]);
  }
  server_stop(&fake.server);
  for (size_t w = 0; w < fake.server.worker_count; w++) {
    while (turn_once(&fake.server.workers[w], 0)) fake_clock_ms += 1000;
  }
  server_free(&fake.server);
  config_free(&fake.config);
}

#endif
