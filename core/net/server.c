// The server: see server.h.
#include "net/server.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/wire.h"

uint64_t server_raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// Opens address `i` of the configuration for every worker.
static char *open_address(struct server *server, struct listener **per_worker, size_t i) {
  size_t workers = server->config->workers;
  struct listener *opened = mem_zalloc(workers * sizeof *opened);
  char *error = listen_open(server->config->listen[i], opened, workers,
                            (unsigned)server->config->write_timeout_ms, &server->names[i]);
  for (size_t w = 0; error == NULL && w < workers; w++) per_worker[w][i] = opened[w];
  free(opened);
  return error;
}

char *server_init(struct server *server, const struct config *config, const struct app *app) {
  *server = (struct server){.config = config};
  server->hub = hub_new(wire_encoders, WIRE_FORMS);
  const struct hub_limits limits = {.max_bytes = config->hub_max_bytes,
                                    .max_topics = (uint32_t)config->max_topics,
                                    .max_subscriptions = config->max_subscriptions};
  hub_limits_set(server->hub, &limits);
  server->workers = mem_zalloc(config->workers * sizeof *server->workers);
  struct listener **per_worker = mem_zalloc(config->workers * sizeof *per_worker);
  for (size_t w = 0; w < config->workers; w++) {
    per_worker[w] = mem_zalloc((config->listen_count + 1) * sizeof **per_worker);
  }
  char *error = NULL;
  size_t opened = 0;
  while (error == NULL && opened < config->listen_count) {
    error = open_address(server, per_worker, opened);
    if (error == NULL) opened++;
  }
  for (size_t w = 0; w < config->workers; w++) {
    bool ok = worker_init(&server->workers[w], (unsigned)w, config, app, server->hub,
                          &server->stats, per_worker[w], opened);
    server->worker_count++;
    if (!ok && error == NULL) error = mem_strdup("the scripts could not be started");
  }
  free(per_worker);
  return error;
}

void server_start(struct server *server) {
  for (size_t w = 0; w < server->worker_count; w++) worker_start(&server->workers[w]);
  for (size_t i = 0; i < server->config->listen_count; i++)
    log_info("listening on %s", server->names[i]);
}

static void stop_worker(struct worker *worker, void *arg) {
  (void)arg;
  worker_stop(worker);
}

void server_stop(struct server *server) {
  if (server->is_stopping) return;
  server->is_stopping = true;
  for (size_t w = 0; w < server->worker_count; w++)
    worker_post(&server->workers[w], stop_worker, NULL);
}

void server_join(struct server *server) {
  for (size_t w = 0; w < server->worker_count; w++) worker_join(&server->workers[w]);
}

void server_free(struct server *server) {
  for (size_t i = 0; i < server->config->listen_count; i++) {
    if (server->names[i] != NULL) listen_unlink(server->config->listen[i]);
    free(server->names[i]);
  }
  for (size_t w = 0; w < server->worker_count; w++) worker_free(&server->workers[w]);
  free(server->workers);
  hub_free(server->hub);
}
