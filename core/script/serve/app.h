// The app that runs Lua: fills in net/app.h.
#ifndef TIDEGATE_SCRIPT_SERVE_APP_H
#define TIDEGATE_SCRIPT_SERVE_APP_H

#include "net/app.h"

struct bundle;
struct server;
struct script_module;

// What workers start with. Borrowed for the life of the server.
struct script_start {
  const char *dir;
  struct bundle *bundle;                 // of generation 1
  struct script_module *const *modules;  // bind/modules.h
  char *error;          // set when a worker's scripts did not load (owned by the caller)
  struct buf *listing;  // gets the routes of the first worker, for --check; may be NULL
  size_t route_count;
};

// Logs for each worker whose thread has not ended what it does. Any thread.
void script_log_stuck(const struct server *server);

// `start` becomes app.ctx.
struct app script_app(struct script_start *start);

#endif
