// The load generator: one process, one epoll loop, and a mode that decides what
// the clients do. See ../README.md for its options and what it prints.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "load/client.h"
#include "load/histogram.h"
#include "load/usage.h"

struct options {
  const char *mode;
  const char *kind;     // "ws", "sse" or "half": what subscribers and idle clients speak
  const char *path;     // of WebSockets, and of HTTP requests
  const char *sse;      // path of event streams
  const char *publish;  // path of the publisher's WebSocket
  const char *dialect;  // "plain", or "socketio" for what Socket.IO puts into messages
  long port, pid;
  long connections, stalled, partial, inflight, size, compress;
  double rate;  // messages per second; 0: a closed loop
  double warmup, seconds;
};

enum phase { PHASE_OPENING, PHASE_PROBING, PHASE_WARMUP, PHASE_MEASURED, PHASE_DONE };

struct load;

// What the clients do. All but `name`, `plan` and `opened` may be NULL.
struct mode {
  const char *name;
  const char *unit;                       // what is counted
  void (*plan)(struct load *load);        // declares the clients with load_add_client
  void (*opened)(struct client *client);  // its handshake is through
  void (*ready)(struct load *load);       // all clients are open
  void (*message)(struct client *client, const char *data, size_t len);
  void (*closed)(struct client *client);       // the server ended it; NULL: that is an error
  void (*turn)(struct load *load);             // after the events of one loop turn
  uint64_t (*next_due_ns)(struct load *load);  // when turn is wanted next; 0: after an event
};

extern const struct mode echo_mode, http_mode, fanout_mode, idle_mode, connect_mode;

struct load {
  struct options options;
  const struct mode *mode;
  void *state;  // of the mode
  int epoll;
  uint64_t now_ns;  // set whenever a client has read

  struct client *clients;
  size_t client_count, open_limit;  // open_limit: how many may be opened for now
  size_t started_count, opened_count;

  enum phase phase;
  uint64_t phase_ns;             // when it began
  uint64_t cpu_ns, measured_ns;  // of the window, when it is done
  struct usage_memory memory_before, memory_after;
  double bytes_per_connection;
  uint64_t units, missing, duplicate;
  uint64_t received_bytes;  // from the sockets of all clients
  bool is_overloaded;
  struct histogram latency;
};

uint64_t load_now_ns(void);
double load_phase_seconds(const struct load *load);
_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Room for one more client, to be filled in before the clients are opened.
struct client *load_add_client(struct load *load, enum client_kind kind, const char *path);

// The measured window. Begins warm-up; begins the window; ends it and the run.
void load_start_warmup(struct load *load);
void load_start_window(struct load *load);
void load_end_window(struct load *load);
// For modes whose clients go on all the time: moves from phase to phase by time.
void load_pass_time(struct load *load);

// A payload of options.size bytes that begins with `counter`, in a buffer that
// the next call overwrites; and the way back. The rest is records that compress
// as JSON does.
enum { LOAD_COUNTER_DIGITS = 12 };
const char *load_payload(struct load *load, uint64_t counter);
uint64_t load_counter(const char *data, size_t len);

#endif
