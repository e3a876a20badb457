// A generation: one loading of all scripts in one VM, with its own environment,
// module cache, routes, timers and topic rules. It is loaded beside the live
// one and then either takes over between two events or is dropped.
#ifndef TIDEGATE_SCRIPT_RELOAD_GENERATION_H
#define TIDEGATE_SCRIPT_RELOAD_GENERATION_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "hub/hub.h"
#include "net/ws_conn.h"
#include "script/vm/vm.h"

struct bundle;

// A WebSocket or SSE route: what a session finds its handlers by.
struct route {
  char *key;  // "ws /chat/{room}": the same in every generation
  bool is_ws;
  bool has_envelope;
  enum ws_compress compress;
  int task_ref;  // function(conn): one task per session; LUA_NOREF for a table of callbacks
  int message_ref, close_ref, gap_ref, drain_ref;
  uint64_t heartbeat_ms, keepalive_ms, max_message_bytes;
  bool closes_when_full;  // a send at the bound of the queue ends the session
};

struct generation {
  struct vm *vm;
  struct bundle *bundle;  // a reference
  unsigned number;
  int env_ref, loaded_ref;  // environment and module cache
  int dispatch_ref;         // function(req, res)
  struct route *routes;
  size_t route_count;
  size_t http_route_count;
  struct hub_rule *rules;  // of gate.topic
  size_t rule_count;
  struct tap_declaration *taps;  // of gate.subscribe
  size_t tap_count;
  struct list timers;  // made while loading
  size_t next_step;    // of loading
  bool is_loaded;
  struct buf listing;  // one line per route, for --check
};

// Begins to load the bundle into a fresh environment. Each step then runs one
// script (or framework module); between steps the live generation may handle
// events, so that a reload never keeps a worker busy for long.
// GENERATION_FAILED: *error has file, line and reason (the caller frees it) and
// the generation is to be freed; the live one is untouched.
enum generation_progress { GENERATION_MORE, GENERATION_READY, GENERATION_FAILED };
struct generation *generation_begin(struct vm *vm, struct bundle *bundle, unsigned number);
enum generation_progress generation_step(struct generation *generation, char **error);

// All steps at once; NULL on failure.
struct generation *generation_load(struct vm *vm, struct bundle *bundle, unsigned number,
                                   char **error);

// Drops a generation that will not become live.
void generation_free(struct generation *generation);

// Makes it the live one, between two events: sessions move to their routes'
// new handlers, those whose route is gone are closed, the old generation's
// timers and background tasks end, its own start.
void generation_switch(struct vm *vm, struct generation *generation);

// The session route with that key, NULL when there is none.
struct route *generation_find_route(struct generation *generation, const char *key);

// gate.topic while loading: keeps the rule (pattern is copied).
void generation_add_rule(struct generation *generation, const struct hub_rule *rule);

// `require` for scripts and framework; upvalue 1 is the generation.
int generation_require(lua_State *L);

#endif
