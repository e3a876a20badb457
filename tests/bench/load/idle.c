// Idle: opens `connections` clients and holds them. The first few only make the
// server allocate what it allocates once; memory per connection is what the
// others add.
#include <string.h>

#include "load/load.h"

enum { FIRST_MAX = 500 };
#define SETTLE_SECONDS 0.5

static size_t first_count(const struct load *load) {
  size_t tenth = load->client_count / 10;
  return tenth < FIRST_MAX ? tenth : FIRST_MAX;
}

static void plan(struct load *load) {
  const struct options *options = &load->options;
  bool is_sse = strcmp(options->kind, "sse") == 0;
  for (long i = 0; i < options->connections; i++) {
    load_add_client(load, is_sse ? CLIENT_SSE : CLIENT_WS, is_sse ? options->sse : options->path);
  }
  load->open_limit = first_count(load);
}

static void opened(struct client *client) {
  client->load->opened_count++;
  client->load->phase_ns = load_now_ns();
}

static void ready(struct load *load) { load_start_warmup(load); }

static void turn(struct load *load) {
  size_t first = first_count(load);
  if (load->phase == PHASE_OPENING && load->open_limit == first && load->opened_count == first &&
      load_phase_seconds(load) > SETTLE_SECONDS) {
    load->memory_before = usage_memory((pid_t)load->options.pid);
    load->open_limit = SIZE_MAX;
  } else if (load->phase == PHASE_WARMUP && load_phase_seconds(load) > SETTLE_SECONDS) {
    uint64_t before = load->memory_before.private_bytes;
    load_start_window(load);
    double grown = (double)load->memory_before.private_bytes - (double)before;
    load->bytes_per_connection = grown / (double)(load->client_count - first);
  } else if (load->phase == PHASE_MEASURED) {
    load_pass_time(load);
  }
}

const struct mode idle_mode = {
    .name = "idle",
    .unit = "connection",
    .plan = plan,
    .opened = opened,
    .ready = ready,
    .turn = turn,
};
