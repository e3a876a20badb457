// The server: one hub, N workers, the addresses they listen on; and the life of
// these workers, from the first listener to the last connection. Owned by the
// main thread.
#ifndef TIDEGATE_NET_SERVER_H
#define TIDEGATE_NET_SERVER_H

#include "base/config.h"
#include "net/app.h"
#include "net/listen.h"
#include "net/worker.h"

struct server {
  const struct config *config;
  struct hub *hub;
  struct stats stats;
  struct worker *workers;
  size_t worker_count;
  struct listen_place places[CONFIG_LISTEN_MAX];  // the addresses, as bound
  long long sockets_max;                          // connections that there are descriptors for
  bool is_stopping;
};

// Raises the limit of open files to the hard limit, before anything is opened; returns it.
uint64_t server_raise_open_files(void);

// Binds every address and prepares the workers; nothing is accepted before
// server_start. Returns NULL, or an error text that the caller frees; then
// server_free is still to be called.
char *server_init(struct server *server, const struct config *config, const struct app *app);
// Starts the threads and accepts. NULL, or an error that the caller frees: then some of them
// may run, and the server is to be stopped.
char *server_start(struct server *server);
void server_log_addresses(const struct server *server);

// Begins a graceful stop: returns at once. A second call changes nothing.
void server_stop(struct server *server);
// Waits until all workers are through.
void server_join(struct server *server);
void server_free(struct server *server);

#endif
