// The server without Lua: a plain C app on net/app.h that echoes, to tell what
// of an echo's cost is the scripts'.
#include <stdio.h>
#include <stdlib.h>

#include "net/app.h"
#include "net/server.h"
#include "net/ws.h"
#include "proto/ws_handshake.h"

static void *start_worker(struct worker *worker, void *ctx) {
  (void)ctx;
  return worker;
}

static void stop_worker(void *state) { (void)state; }

static void on_request(struct http_call *call) {
  const struct http_request *request = call->request;
  struct ws_options options = {.heartbeat_ms = 0, .max_message = 1 << 20};
  struct ws_handshake handshake = {.status = 404};
  struct session *session;
  if (request->upgrades_websocket) handshake = ws_handshake_check(request);
  if (handshake.status == 101) {
    ws_accept(call, &handshake, &options, NULL, 0, &session);
  } else {
    http_respond(call, handshake.status, NULL, 0, slice_str(""));
  }
}

static void on_message(struct session *session, enum message_kind kind, struct slice data) {
  ws_send(session, kind, data);
}

static void ignore_request(struct http_call *call) { (void)call; }
static void ignore_gap(struct session *session, struct slice topic, uint64_t missed) {
  (void)session, (void)topic, (void)missed;
}
static void ignore(struct session *session) { (void)session; }
static void ignore_closed(struct session *session, int code, struct slice reason) {
  (void)session, (void)code, (void)reason;
}

int main(int argc, char **argv) {
  static const struct app app = {
      .worker_start = start_worker,
      .worker_stop = stop_worker,
      .request = on_request,
      .request_body = ignore_request,
      .request_drained = ignore_request,
      .request_closed = ignore_request,
      .message = on_message,
      .gap = ignore_gap,
      .drained = ignore,
      .closed = ignore_closed,
  };
  struct config config;
  struct server server;
  if (argc != 2) return fprintf(stderr, "usage: bench_capp ADDRESS\n"), 2;
  config_init(&config);
  free(config_set(&config, config_key_find("listen", 6), CONFIG_FLAG, argv[1]));
  free(config_set(&config, config_key_find("workers", 7), CONFIG_FLAG, "1"));
  server_raise_open_files();
  char *error = server_init(&server, &config, &app);
  if (error != NULL) return fprintf(stderr, "bench_capp: %s\n", error), 1;
  error = server_start(&server);
  if (error != NULL) return fprintf(stderr, "%s\n", error), 1;
  server_join(&server);
}
