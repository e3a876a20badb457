// The load generator's command line, loop and report: see load.h.
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "load/load.h"

// Handshakes under way at once: fewer than any server's listen backlog.
enum { OPENING_MAX = 100, CLIENTS_PER_ADDRESS = 20000, EVENTS_MAX = 512 };

static const struct mode *const modes[] = {&fanout_mode, &echo_mode, &http_mode, &connect_mode,
                                           &idle_mode};

// ---- command line ----------------------------------------------------------

enum option_type { OPTION_TEXT, OPTION_WHOLE, OPTION_REAL };

static const struct option_row {
  const char *name;
  enum option_type type;
  size_t offset;
  const char *preset, *help;
} option_rows[] = {
#define ROW(field, type, preset, help) \
  { #field, type, offsetof(struct options, field), preset, help }
    ROW(mode, OPTION_TEXT, NULL, "fanout, echo, http, connect or idle"),
    ROW(port, OPTION_WHOLE, NULL, "of the server, on 127.0.0.1"),
    ROW(pid, OPTION_WHOLE, "0", "of the server, to read its CPU time and memory"),
    ROW(connections, OPTION_WHOLE, "100", "subscribers or clients"),
    ROW(stalled, OPTION_WHOLE, "0", "fanout: further subscribers that never read"),
    ROW(partial, OPTION_WHOLE, "0", "fanout: further clients that never end their request"),
    ROW(inflight, OPTION_WHOLE, "1", "messages on the way at once (of each client)"),
    ROW(size, OPTION_WHOLE, "128", "bytes of a message"),
    ROW(compress, OPTION_WHOLE, "0", "fanout: 1: WebSockets insist on permessage-deflate"),
    ROW(rate, OPTION_REAL, "0", "fanout: messages per second, instead of inflight"),
    ROW(kind, OPTION_TEXT, "ws", "fanout, idle: ws, sse or half"),
    ROW(path, OPTION_TEXT, "/ws/sub", "of WebSockets and of requests"),
    ROW(sse, OPTION_TEXT, "/sse/sub", "of event streams"),
    ROW(publish, OPTION_TEXT, "/ws/pub", "of the publisher's WebSocket"),
    ROW(dialect, OPTION_TEXT, "plain", "plain or socketio"),
    ROW(warmup, OPTION_REAL, "0.5", "seconds before the measured window"),
    ROW(seconds, OPTION_REAL, "2", "of the measured window"),
#undef ROW
};
enum { OPTION_COUNT = sizeof option_rows / sizeof *option_rows };

static void set_option(struct options *options, const struct option_row *row, const char *text) {
  void *field = (char *)options + row->offset;
  char *end = (char *)"";
  if (row->type == OPTION_TEXT) *(const char **)field = text;
  if (row->type == OPTION_WHOLE) *(long *)field = strtol(text, &end, 10);
  if (row->type == OPTION_REAL) *(double *)field = strtod(text, &end);
  if (*end != '\0') load_fail("--%s: not a number: %s", row->name, text);
}

static void print_usage(void) {
  printf("usage: load --mode MODE --port PORT [--name value ...]\n");
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    const struct option_row *row = &option_rows[i];
    printf("  --%-12s %s", row->name, row->help);
    printf(row->preset != NULL ? " (%s)\n" : "\n", row->preset);
  }
}

static const struct option_row *find_option(const char *flag) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (strncmp(flag, "--", 2) == 0 && strcmp(flag + 2, option_rows[i].name) == 0) {
      return &option_rows[i];
    }
  }
  return NULL;
}

static struct options parse_options(int argc, char **argv) {
  struct options options = {0};
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (option_rows[i].preset != NULL) {
      set_option(&options, &option_rows[i], option_rows[i].preset);
    }
  }
  for (int i = 1; i < argc; i += 2) {
    if (strcmp(argv[i], "--help") == 0) print_usage(), exit(EXIT_SUCCESS);
    const struct option_row *row = find_option(argv[i]);
    if (row == NULL || i + 1 >= argc) load_fail("%s: see --help", argv[i]);
    set_option(&options, row, argv[i + 1]);
  }
  if (options.mode == NULL || options.port == 0) load_fail("--mode and --port, please");
  if (options.size < LOAD_COUNTER_DIGITS || options.size > 60000) load_fail("--size: 12 to 60000");
  return options;
}

static const struct mode *find_mode(const char *name) {
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(modes[i]->name, name) == 0) return modes[i];
  }
  load_fail("no mode %s", name);
}

// ---- what modes use --------------------------------------------------------

uint64_t load_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void load_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "load: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  exit(EXIT_FAILURE);
}

double load_phase_seconds(const struct load *load) {
  return (double)(load_now_ns() - load->phase_ns) / 1e9;
}

struct client *load_add_client(struct load *load, enum client_kind kind, const char *path) {
  size_t at = load->client_count++;
  load->clients = realloc(load->clients, load->client_count * sizeof *load->clients);
  if (load->clients == NULL) load_fail("out of memory");
  load->clients[at] = (struct client){.load = load, .kind = kind, .path = path};
  load->clients[at].source = (unsigned)(at / CLIENTS_PER_ADDRESS);
  return &load->clients[at];
}

static void set_phase(struct load *load, enum phase phase) {
  load->phase = phase;
  load->phase_ns = load_now_ns();
}

void load_start_warmup(struct load *load) { set_phase(load, PHASE_WARMUP); }

void load_start_window(struct load *load) {
  histogram_clear(&load->latency);
  load->units = load->missing = load->duplicate = load->received_bytes = 0;
  load->memory_before = usage_memory((pid_t)load->options.pid);
  load->cpu_ns = usage_cpu_ns((pid_t)load->options.pid);
  set_phase(load, PHASE_MEASURED);
}

void load_end_window(struct load *load) {
  load->measured_ns = load_now_ns() - load->phase_ns;
  load->cpu_ns = usage_cpu_ns((pid_t)load->options.pid) - load->cpu_ns;
  load->memory_after = usage_memory((pid_t)load->options.pid);
  set_phase(load, PHASE_DONE);
}

void load_pass_time(struct load *load) {
  double seconds = load_phase_seconds(load);
  if (load->phase == PHASE_WARMUP && seconds >= load->options.warmup) {
    load_start_window(load);
  } else if (load->phase == PHASE_MEASURED && seconds >= load->options.seconds) {
    load_end_window(load);
  }
}

// ---- the loop --------------------------------------------------------------

static void open_clients(struct load *load) {
  size_t limit = load->open_limit < load->client_count ? load->open_limit : load->client_count;
  while (load->started_count < limit && load->started_count - load->opened_count < OPENING_MAX) {
    client_open(&load->clients[load->started_count++]);
  }
}

static int wait_for_events(struct load *load, struct epoll_event *events) {
  uint64_t due = load->mode->next_due_ns != NULL ? load->mode->next_due_ns(load) : 0;
  uint64_t now = load_now_ns(), wait = 20000000;  // looks at the clock every 20 ms
  if (due != 0 && due < now + wait) wait = due > now ? due - now : 0;
  struct timespec limit = {0, (long)wait};
  int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &limit, NULL);
  if (count < 0 && errno != EINTR) load_fail("epoll_pwait2: %s", strerror(errno));
  return count;
}

static void run(struct load *load) {
  struct epoll_event events[EVENTS_MAX];
  uint64_t active_ns = load_now_ns();
  bool was_ready = false;
  while (load->phase != PHASE_DONE) {
    open_clients(load);
    int count = wait_for_events(load, events);
    for (int i = 0; i < count; i++) client_on_event(events[i].data.ptr, events[i].events);
    load->now_ns = load_now_ns();
    if (!was_ready && load->opened_count >= load->client_count) {
      was_ready = true;
      load->mode->ready(load);
    }
    if (load->mode->turn != NULL) load->mode->turn(load);
    if (count > 0) active_ns = load->now_ns;
    if (load->now_ns - active_ns > 20000000000u) {
      load_fail("nothing happened for 20 s (%zu of %zu clients open, phase %d)", load->opened_count,
                load->client_count, (int)load->phase);
    }
  }
}

// ---- the report ------------------------------------------------------------

static void print_report(const struct load *load) {
  double seconds = (double)load->measured_ns / 1e9, units = (double)load->units;
  printf("{\"mode\":\"%s\",\"unit\":\"%s\",\"connections\":%ld,\"units\":%.0f,\"seconds\":%.3f",
         load->mode->name, load->mode->unit, load->options.connections, units, seconds);
  if (units > 0) {
    printf(",\"cpu_us\":%.4f,\"wall_us\":%.4f,\"per_second\":%.1f,\"wire_bytes\":%.1f",
           (double)load->cpu_ns / 1e3 / units, seconds * 1e6 / units, units / seconds,
           (double)load->received_bytes / units);
  }
  printf(",\"cpu_share\":%.3f", (double)load->cpu_ns / (double)load->measured_ns);
  static const struct {
    const char *name;
    double fraction;
  } points[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
  for (size_t i = 0; i < sizeof points / sizeof *points && load->latency.total > 0; i++) {
    uint64_t ns = histogram_percentile(&load->latency, points[i].fraction);
    printf(",\"%s\":%.1f", points[i].name, (double)ns / 1e3);
  }
  printf(",\"missing\":%llu,\"duplicate\":%llu,\"overloaded\":%s",
         (unsigned long long)load->missing, (unsigned long long)load->duplicate,
         load->is_overloaded ? "true" : "false");
  printf(
      ",\"rss_kb\":%llu,\"private_kb\":%llu,\"grown_kb\":%lld",
      (unsigned long long)load->memory_after.rss_bytes / 1024,
      (unsigned long long)load->memory_after.private_bytes / 1024,
      ((long long)load->memory_after.private_bytes - (long long)load->memory_before.private_bytes) /
          1024);
  if (load->bytes_per_connection > 0) printf(",\"bytes\":%.1f", load->bytes_per_connection);
  printf("}\n");
}

static void raise_open_files(size_t wanted) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted + 20) {
    load_fail("%zu clients need more than the %llu files that this process may open", wanted,
              (unsigned long long)limit.rlim_cur);
  }
}

int main(int argc, char **argv) {
  static struct load load;
  load.options = parse_options(argc, argv);
  load.mode = find_mode(load.options.mode);
  load.open_limit = SIZE_MAX;
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  load.mode->plan(&load);
  raise_open_files(load.client_count);
  run(&load);
  print_report(&load);
  return EXIT_SUCCESS;
}
