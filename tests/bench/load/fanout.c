// Fan-out: one publisher, many subscribers, every message to each of them once
// and in order. Closed loop: `inflight` messages are on their way, and the next
// goes out when the slowest subscriber has one. Open loop: messages are due at
// a fixed rate, and latency counts from when a message was due, whatever held
// it up since. The window begins and ends with nothing on the way, so the CPU
// time belongs to exactly the deliveries that are counted.
#include <stdlib.h>
#include <string.h>

#include "load/load.h"

enum { RING = 1 << 16 };
#define UNKNOWN UINT64_MAX  // what a subscriber expects before its first message
#define PROBE_SECONDS 0.5
#define DRAIN_SECONDS 8.0

struct fanout {
  size_t publisher;           // index of the client
  uint32_t subscriber_count;  // of those that read
  uint64_t sent, done;        // messages: published; received by all
  uint64_t due_ns;            // of the next message, open loop
  bool is_delivering;
  uint64_t drain_ns;  // since when
  // By counter, modulo RING:
  uint32_t left[RING];      // deliveries outstanding
  uint64_t since_ns[RING];  // when it was sent, or was due
};

static bool is_open_loop(const struct load *load) { return load->options.rate > 0; }

static void plan(struct load *load) {
  const struct options *options = &load->options;
  struct fanout *fanout = calloc(1, sizeof *fanout);
  if (fanout == NULL) load_fail("out of memory");
  load->state = fanout;
  bool is_half = strcmp(options->kind, "half") == 0, is_sse = strcmp(options->kind, "sse") == 0;
  for (long i = 0; i < options->connections + options->stalled; i++) {
    bool streams = is_sse || (is_half && i % 2 == 1);
    struct client *client = load_add_client(load, streams ? CLIENT_SSE : CLIENT_WS,
                                            streams ? options->sse : options->path);
    client->next = UNKNOWN;
    client->is_compressed = options->compress != 0 && !streams;
    client->is_stalled = i >= options->connections;
  }
  for (long i = 0; i < options->partial; i++)
    load_add_client(load, CLIENT_HTTP, "/")->is_stalled = true;
  fanout->publisher = load->client_count;
  fanout->subscriber_count = (uint32_t)options->connections;
  load_add_client(load, CLIENT_WS, options->publish);
}

static void opened(struct client *client) { client->load->opened_count++; }

static void ready(struct load *load) {
  load->phase = PHASE_PROBING;
  load->phase_ns = load_now_ns();
}

// ---- publishing ------------------------------------------------------------

static void publish(struct load *load, uint64_t since_ns) {
  struct fanout *fanout = load->state;
  uint64_t counter = fanout->sent++;
  fanout->left[counter % RING] = fanout->subscriber_count;
  fanout->since_ns[counter % RING] = since_ns;
  client_queue(&load->clients[fanout->publisher], load_payload(load, counter),
               (size_t)load->options.size);
}

static void publish_closed(struct load *load) {
  struct fanout *fanout = load->state;
  uint64_t now = load_now_ns();
  while (fanout->sent - fanout->done < (uint64_t)load->options.inflight) publish(load, now);
}

static void publish_due(struct load *load) {
  struct fanout *fanout = load->state;
  uint64_t interval = (uint64_t)(1e9 / load->options.rate), now = load_now_ns();
  if (fanout->due_ns == 0) fanout->due_ns = now;
  for (; fanout->due_ns <= now; fanout->due_ns += interval) {
    if (fanout->sent - fanout->done >= RING - 1) {
      load->is_overloaded = true;
      return;
    }
    publish(load, fanout->due_ns);
  }
}

static uint64_t next_due_ns(struct load *load) {
  struct fanout *fanout = load->state;
  bool is_paced = is_open_loop(load) && !fanout->is_delivering && load->phase >= PHASE_WARMUP;
  return is_paced ? fanout->due_ns : 0;
}

// ---- receiving -------------------------------------------------------------

static void take(struct fanout *fanout, uint64_t counter) {
  uint32_t *left = &fanout->left[counter % RING];
  if (*left > 0) --*left;
  while (fanout->done < fanout->sent && fanout->left[fanout->done % RING] == 0) fanout->done++;
}

static void message(struct client *client, const char *data, size_t len) {
  struct load *load = client->load;
  struct fanout *fanout = load->state;
  if (client == &load->clients[fanout->publisher]) return;  // a peer's acknowledgement
  uint64_t counter = load_counter(data, len);
  if (client->next == UNKNOWN) client->next = counter;
  if (counter < client->next) {
    load->duplicate++;
    return;
  }
  for (; client->next < counter; client->next++, load->missing++) take(fanout, client->next);
  client->next = counter + 1;
  take(fanout, counter);
  load->units++;
  histogram_add(&load->latency, load->now_ns - fanout->since_ns[counter % RING]);
}

// ---- phases ----------------------------------------------------------------

// Publishes single messages until one has reached everybody: a subscriber may
// be ready before the server has joined it to the topic.
static void probe(struct load *load) {
  struct fanout *fanout = load->state;
  if (fanout->sent > 0 && fanout->done == fanout->sent) {
    load_start_warmup(load);
  } else if (fanout->sent == 0 || load_phase_seconds(load) > PROBE_SECONDS) {
    if (fanout->sent > 60) load_fail("%s: messages do not reach everybody", load->options.path);
    for (; fanout->done < fanout->sent; fanout->done++) fanout->left[fanout->done % RING] = 0;
    load->phase_ns = load_now_ns();
    publish(load, load->phase_ns);
  }
}

// Lets what is on the way arrive, then moves on to the next phase.
static void drain(struct load *load) {
  struct fanout *fanout = load->state;
  bool is_late = load_now_ns() - fanout->drain_ns > DRAIN_SECONDS * 1e9;
  if (fanout->done < fanout->sent && !is_late) return;
  if (is_late) load->is_overloaded = true;
  fanout->is_delivering = false;
  fanout->due_ns = 0;
  if (load->phase == PHASE_WARMUP) {
    load_start_window(load);
  } else {
    load_end_window(load);
  }
}

static void turn(struct load *load) {
  struct fanout *fanout = load->state;
  double limit = load->phase == PHASE_WARMUP ? load->options.warmup : load->options.seconds;
  if (load->phase < PHASE_PROBING) return;
  if (load->phase == PHASE_PROBING) {
    probe(load);
  } else if (fanout->is_delivering) {
    drain(load);
  } else if (load_phase_seconds(load) >= limit) {
    fanout->is_delivering = true;
    fanout->drain_ns = load_now_ns();
  } else if (is_open_loop(load)) {
    publish_due(load);
  } else {
    publish_closed(load);
  }
  client_flush(&load->clients[fanout->publisher]);
}

const struct mode fanout_mode = {
    .name = "fanout",
    .unit = "delivery",
    .plan = plan,
    .opened = opened,
    .ready = ready,
    .message = message,
    .turn = turn,
    .next_due_ns = next_due_ns,
};
