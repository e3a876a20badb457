// Connect: `connections` clients at once open a WebSocket, close it with the
// handshake, and start again. A unit is one life of a connection.
#include "load/load.h"

// Closed connections hold their port for a while, so that one address would
// soon have none left.
enum { SOURCES = 60 };

static void plan(struct load *load) {
  for (long i = 0; i < load->options.connections; i++) {
    load_add_client(load, CLIENT_WS, load->options.path);
  }
}

static void opened(struct client *client) {
  if (client->load->opened_count < client->load->client_count) client->load->opened_count++;
  histogram_add(&client->load->latency, load_now_ns() - client->next);
  client_queue_close(client);
  client_flush(client);
}

static void ready(struct load *load) { load_start_warmup(load); }

static void closed(struct client *client) {
  static unsigned source;
  client->load->units++;
  client->source = source++ % SOURCES;
  client->next = load_now_ns();
  client_open(client);
}

static void turn(struct load *load) { load_pass_time(load); }

const struct mode connect_mode = {
    .name = "connect",
    .unit = "connection",
    .plan = plan,
    .opened = opened,
    .ready = ready,
    .closed = closed,
    .turn = turn,
};
