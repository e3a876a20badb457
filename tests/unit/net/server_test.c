// The life of a server: how it stops with requests and sessions under way, and what its
// numbers are.
#include "net/server.h"

#include "net/fake_app.h"
#include "net/sse.h"
#include "net/ws.h"

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define WS                                                                       \
  "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static struct session *accept_ws(void) {
  struct ws_options options = {.max_message = 1000};
  struct ws_handshake handshake = ws_handshake_check(fake_last_call->request);
  struct session *session = NULL;
  assert_int_equal(ws_accept(fake_last_call, &handshake, &options, NULL, 0, &session), HTTP_SENT);
  return session;
}

static struct session *accept_sse(void) {
  struct sse_options options = {0};
  struct session *session = NULL;
  assert_int_equal(sse_accept(fake_last_call, &options, NULL, 0, &session), HTTP_SENT);
  return session;
}

static struct fake_peer *peer_with(const char *text) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(peer, text);
  fake_turns();
  return peer;
}

static void stop(void) {
  server_stop(&fake.server);
  server_stop(&fake.server);  // a second call changes nothing
  fake_turns();
}

static void stopping_lets_what_is_under_way_finish(void **state) {
  (void)state;
  struct fake_peer *idle = peer_with("");
  struct fake_peer *asks = peer_with(GET);
  struct http_call *call = fake_last_call;
  struct fake_peer *ws = peer_with(WS);
  accept_ws();
  struct fake_peer *stream = peer_with(GET);
  accept_sse();
  buf_clear(&fake_events);
  stop();
  assert_true(idle->is_shut && stream->is_shut && !asks->is_shut && !ws->is_shut);
  assert_true(fake_peer_has(ws, "\x03\xe9server is stopping"));
  expect_events("closed 0 \n");
  http_respond(call, 200, NULL, 0, slice_str("late"));
  fake_turns();
  assert_true(fake_peer_has(asks, "Connection: close\r\n\r\nlate") && asks->is_shut);
  fake_peer_send_frame(ws, 8, "\x03\xe9", 2);
  fake_turns();
  expect_events("request closed\nclosed 1001 \n");
  struct fake_peer *all[] = {idle, asks, ws, stream};
  for (size_t i = 0; i < 4; i++) {
    fake_peer_end(all[i]);
    fake_turns();
    fake_peer_free(all[i]);
  }
  assert_false(turn_once(fake.worker, 0));  // nothing is left
}

static void the_grace_period_ends(void **state) {
  (void)state;
  struct fake_peer *asks = peer_with(GET);
  stop();
  fake_wait_ms(fake.config.grace_ms - 1);
  assert_non_null(asks->session);
  fake_wait_ms(1);
  assert_null(asks->session);
  assert_true(fake_log_has("grace period over: 1 connections are cut"));
  assert_int_equal(buf_len(&asks->output), 0);
  fake_peer_free(asks);
}

static void sessions_that_begin_while_it_stops_end_at_once(void **state) {
  (void)state;
  struct fake_peer *ws = peer_with(WS);
  struct http_call *ws_call = fake_last_call;
  struct fake_peer *stream = peer_with(GET);
  struct http_call *stream_call = fake_last_call;
  stop();
  fake_last_call = ws_call;
  accept_ws();
  fake_last_call = stream_call;
  accept_sse();
  fake_turns();
  assert_true(fake_peer_has(ws, "server is stopping") && stream->is_shut);
  fake_peer_end(ws);
  fake_peer_end(stream);
  fake_turns();
  fake_peer_free(ws);
  fake_peer_free(stream);
}

static void a_peer_that_left_while_it_waited_is_over(void **state) {
  (void)state;
  struct fake_peer *ws = peer_with(WS);
  fake_peer_end(ws);
  accept_ws();
  fake_turns();
  assert_null(ws->session);
  struct fake_peer *stream = peer_with(GET);
  fake_peer_end(stream);
  accept_sse();
  fake_turns();
  assert_null(stream->session);
  expect_events(
      "request /ws\nrequest closed\nclosed 1006 \n"
      "request /a\nrequest closed\nclosed 0 \n");
  fake_peer_free(ws);
  fake_peer_free(stream);
}

static void its_numbers_are_those_of_its_connections(void **state) {
  (void)state;
  struct fake_peer *ws = peer_with(WS), *stream;
  accept_ws();
  stream = peer_with(GET);
  accept_sse();
  fake_peer_send_frame(ws, 1, "x", 1);
  fake_turns();
  struct {
    const char *name;
    long long value;
  } rows[] = {{"connections", 2}, {"websockets", 1}, {"streams", 1},     {"accepted", 2},
              {"requests", 2},    {"refused", 0},    {"messages_in", 1}, {"bad_requests", 0}};
  for (size_t i = 0; i < stats_metrics.count; i++) {
    const struct metric *metric = &stats_metrics.rows[i];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      if (strcmp(rows[r].name, metric->name) != 0) continue;
      if (metric_read(metric, &fake.server.stats) != rows[r].value)
        fail_msg("%s is %lld", metric->name, metric_read(metric, &fake.server.stats));
      rows[r].name = "";
    }
  }
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) assert_string_equal(rows[r].name, "");
  conn_close(&ws->session->conn);
  conn_close(&stream->session->conn);
  fake_turns();
  assert_int_equal(metric_get(&fake.server.stats.connections), 0);
  assert_int_equal(metric_get(&fake.server.stats.websockets), 0);
  fake_peer_free(ws);
  fake_peer_free(stream);
}

static void note_call(struct worker *worker, void *text) {
  assert_ptr_equal(worker, fake.worker);
  buf_append_str(&fake_events, text);
}

static void calls_are_made_in_the_order_of_posting(void **state) {
  (void)state;
  worker_post(fake.worker, note_call, "one ");
  worker_post(fake.worker, note_call, "two ");
  expect_events("");
  fake_turns();
  worker_post(fake.worker, note_call, "three");
  fake_turns();
  expect_events("one two three");
  worker_post(fake.worker, note_call, "never");  // dropped at the end
}

static void an_address_that_cannot_be_had_is_an_error(void **state) {
  (void)state;
  struct config config;
  struct server server;
  config_init(&config);
  config_clear_listen(&config);
  char *error =
      config_set(&config, config_key_find("listen", 6), CONFIG_FLAG, "unix:/no/such/folder/socket");
  assert_null(error);
  error = server_init(&server, &config, &fake_app);
  assert_non_null(strstr(error, "/no/such/folder/socket"));
  free(error);
  server_free(&server);
  config_free(&config);
  assert_true(server_raise_open_files() > 0);
}

static int open_server(void **state) {
  fake_app_skips_drained = true;
  return fake_app_open(state);
}

#define server_test(name) cmocka_unit_test_setup_teardown(name, open_server, fake_app_close)

int main(void) {
  const struct CMUnitTest tests[] = {
      server_test(stopping_lets_what_is_under_way_finish),
      server_test(the_grace_period_ends),
      server_test(sessions_that_begin_while_it_stops_end_at_once),
      server_test(a_peer_that_left_while_it_waited_is_over),
      server_test(its_numbers_are_those_of_its_connections),
      server_test(calls_are_made_in_the_order_of_posting),
      server_test(an_address_that_cannot_be_had_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
