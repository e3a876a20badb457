// Echo and HTTP: every client keeps `inflight` messages (requests) on the way,
// and sends one for each answer. Echoes must come back in order.
#include <stdlib.h>

#include "load/load.h"

static void plan_kind(struct load *load, enum client_kind kind) {
  for (long i = 0; i < load->options.connections; i++) {
    struct client *client = load_add_client(load, kind, load->options.path);
    client->sent_ns = calloc((size_t)load->options.inflight, sizeof *client->sent_ns);
    if (client->sent_ns == NULL) load_fail("out of memory");
  }
}

static void plan_echo(struct load *load) { plan_kind(load, CLIENT_WS); }
static void plan_http(struct load *load) { plan_kind(load, CLIENT_HTTP); }

static void opened(struct client *client) { client->load->opened_count++; }

// `counter` is of the message that goes out; it takes the place of the one
// `inflight` before it.
static void send_next(struct client *client, uint64_t counter) {
  struct load *load = client->load;
  client->sent_ns[counter % (uint64_t)load->options.inflight] = load->now_ns;
  client_queue(client, load_payload(load, counter), (size_t)load->options.size);
}

static void ready(struct load *load) {
  load_start_warmup(load);
  for (size_t i = 0; i < load->client_count; i++) {
    struct client *client = &load->clients[i];
    for (long n = 0; n < load->options.inflight; n++) send_next(client, (uint64_t)n);
    client_flush(client);
  }
}

static void message(struct client *client, const char *data, size_t len) {
  struct load *load = client->load;
  uint64_t depth = (uint64_t)load->options.inflight, counter = client->next;
  if (client->kind == CLIENT_WS) counter = load_counter(data, len);
  if (counter > client->next) load->missing++;
  if (counter < client->next) load->duplicate++;
  histogram_add(&load->latency, load->now_ns - client->sent_ns[counter % depth]);
  client->next = counter + 1;
  load->units++;
  send_next(client, counter + depth);
}

static void turn(struct load *load) { load_pass_time(load); }

const struct mode echo_mode = {
    .name = "echo",
    .unit = "message",
    .plan = plan_echo,
    .opened = opened,
    .ready = ready,
    .message = message,
    .turn = turn,
};

const struct mode http_mode = {
    .name = "http",
    .unit = "request",
    .plan = plan_http,
    .opened = opened,
    .ready = ready,
    .message = message,
    .turn = turn,
};
