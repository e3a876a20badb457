// WebSocket sessions over a socket in the hands of the test: pings, the close handshake,
// heartbeats, messages that do not end, and contexts of compression.
#include "net/ws.h"

#include "net/fake_app.h"
#include "net/ws_shared.h"
#include "proto/ws_frame.h"

static struct ws_options options;
static const char *extensions = "";

static enum http_send_status accept_with(const struct http_field *fields, size_t count,
                                         struct session **session) {
  struct ws_handshake handshake = ws_handshake_check(fake_last_call->request);
  assert_int_equal(handshake.status, 101);
  return ws_accept(fake_last_call, &handshake, &options, fields, count, session);
}

static struct fake_peer *ask_for_one(void) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  char *head = mem_format(
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
      extensions);
  fake_peer_send_text(peer, head);
  free(head);
  return peer;
}

static struct fake_peer *open_peer(void) {
  struct fake_peer *peer = ask_for_one();
  struct session *session = NULL;
  assert_int_equal(accept_with(NULL, 0, &session), HTTP_SENT);
  assert_ptr_equal(session, peer->session);
  fake_turns();
  expect_events("request /ws\nrequest closed\n");
  assert_true(fake_peer_has(peer, "HTTP/1.1 101 "));
  fake_peer_clear(peer);
  return peer;
}

static int reset_options(void **state) {
  (void)state;
  options = (struct ws_options){.max_message = 1000};
  extensions = "";
  fake_app_skips_drained = true;
  buf_clear(&fake_events);
  return 0;
}

static void close_peer(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
  buf_clear(&fake_events);
}

static void send_frame(struct fake_peer *peer, unsigned opcode, const char *text) {
  fake_peer_send_frame(peer, opcode, text, strlen(text));
  fake_turns();
}

static void messages_come_whole(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  const char text[] = "\x81\x82\0\0\0\0hi\x02\x81\0\0\0\0a\x89\x81\0\0\0\0p\x80\x81\0\0\0\0b";
  for (size_t i = 0; i < sizeof text - 1; i++) fake_peer_send(peer, text + i, 1);
  fake_turns();
  expect_events("text hi\nbinary ab\n");
  assert_true(fake_peer_has(peer, "\x8a\x01p"));
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_str("one")), SESSION_OK);
  assert_int_equal(ws_send(peer->session, MESSAGE_BINARY, slice_str("\xff")), SESSION_OK);
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_str("\xff")), SESSION_NOT_UTF8);
  fake_turns();
  assert_true(fake_peer_has(peer, "\x81\x03one\x82\x01\xff"));
  close_peer(peer);
}

static void input_that_came_early_is_read_in_the_next_turn(void **state) {
  (void)state;
  struct fake_peer *peer = ask_for_one();
  struct session *session = NULL;
  fake_peer_send_frame(peer, 1, "early", 5);  // behind the request, before the answer
  assert_int_equal(accept_with(NULL, 0, &session), HTTP_SENT);
  expect_events("request /ws\nrequest closed\n");
  fake_turns();
  expect_events("text early\n");
  close_peer(peer);
}

static void only_fields_of_the_app_are_taken(void **state) {
  (void)state;
  static const char *const names[] = {"Upgrade", "Sec-WebSocket-Accept", "Content-Length", "a b"};
  struct fake_peer *peer = ask_for_one();
  struct session *session = NULL;
  for (size_t i = 0; i < 4; i++) {
    struct http_field field = {slice_str(names[i]), slice_str("x")};
    assert_int_equal(accept_with(&field, 1, &session), HTTP_SEND_BAD_FIELD);
  }
  options.protocol = slice_str("chat");
  struct http_field field = {slice_str("X-A"), slice_str("b")};
  assert_int_equal(accept_with(&field, 1, &session), HTTP_SENT);
  fake_turns();
  assert_true(fake_peer_has(peer, "X-A: b\r\n"));
  assert_true(fake_peer_has(peer, "Sec-WebSocket-Protocol: chat\r\n"));
  close_peer(peer);
}

static void closing_takes_both_sides(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  send_frame(peer, 8, "\x0f\xa1why");
  expect_events("closed 4001 why\n");
  assert_true(fake_peer_has(peer, "\x88\x02\x0f\xa1") && peer->is_shut);
  close_peer(peer);
  peer = open_peer();
  assert_int_equal(ws_close(peer->session, 4000, slice_str("bye")), SESSION_OK);
  assert_int_equal(ws_close(peer->session, 4000, slice_str("bye")), SESSION_CLOSED);
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_str("x")), SESSION_CLOSED);
  assert_int_equal(ws_ping(peer->session, slice_str("x")), SESSION_CLOSED);
  send_frame(peer, 1, "is dropped");
  send_frame(peer, 9, "p");
  expect_events("");
  assert_true(fake_peer_has(peer,
                            "\x88\x05\x0f\xa0"
                            "bye"));
  assert_true(fake_peer_has(peer, "\x8a\x01p"));  // pings are still owed
  send_frame(peer, 8, "");
  expect_events("closed 1005 \n");
  close_peer(peer);
  peer = open_peer();
  assert_int_equal(ws_close(peer->session, 4000, slice_str("bye")), SESSION_OK);
  fake_wait_ms(5000);  // no answer
  expect_events("closed 4000 \n");
  close_peer(peer);
  peer = open_peer();
  assert_int_equal(ws_close(peer->session, 999, slice_str("")), SESSION_INVALID);
  assert_int_equal(ws_close(peer->session, 1000, slice_str("\xff")), SESSION_INVALID);
  assert_int_equal(ws_close(peer->session, 0, slice_str("")), SESSION_OK);
  fake_peer_end(peer);
  fake_turns();
  expect_events("closed 1005 \n");
  close_peer(peer);
}

static void an_end_without_a_close_frame_is_1006(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_end(peer);
  fake_turns();
  expect_events("closed 1006 \n");
  close_peer(peer);
  peer = open_peer();
  fake_peer_break(peer);
  fake_turns();
  expect_events("closed 1006 \n");
  close_peer(peer);
}

static void what_breaks_the_protocol_ends_the_session(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
    const char *event;
  } rows[] = {
      {"\x81\x01x", 3, "closed 1002 "},                 // not masked
      {"\xc1\x80\0\0\0\0", 6, "closed 1002 "},          // a reserved bit
      {"\x81\x81\0\0\0\0\xff", 7, "closed 1007 "},      // not UTF-8
      {"\x81\xfe\x03\xe9\0\0\0\0", 8, "closed 1009 "},  // too long
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_peer *peer = open_peer();
    fake_peer_send(peer, rows[i].bytes, rows[i].len);
    fake_turns();
    buf_append_char(&fake_events, '\0');
    assert_ptr_equal(strstr(fake_events.data, rows[i].event), fake_events.data);
    assert_true(peer->is_shut && peer->output.data[peer->output.start] == (char)0x88);
    close_peer(peer);
  }
}

static void heartbeats_find_peers_that_are_gone(void **state) {
  (void)state;
  options.heartbeat_ms = 1000;
  struct fake_peer *peer = open_peer();
  for (int i = 0; i < 5; i++) {
    fake_wait_ms(1000);
    assert_true(fake_peer_has(peer, "\x89\0"));
    fake_peer_clear(peer);
    send_frame(peer, 10, "");
  }
  long long lost = metric_get(&fake.server.stats.lost_peers);
  fake_wait_ms(1000);
  fake_wait_ms(1000);
  assert_non_null(peer->session);
  session_set_reading(peer->session, false);  // the script's doing
  fake_wait_ms(1000);
  assert_non_null(peer->session);
  session_set_reading(peer->session, true);
  fake_wait_ms(1000);
  fake_wait_ms(1000);
  assert_null(peer->session);
  assert_int_equal(metric_get(&fake.server.stats.lost_peers), lost + 1);
  expect_events("closed 1006 \n");
  close_peer(peer);
}

static void no_heartbeat_while_the_socket_is_full(void **state) {
  (void)state;
  options.heartbeat_ms = 1000;
  struct fake_peer *peer = open_peer();
  peer->room = 0;
  ws_send(peer->session, MESSAGE_TEXT, slice_str("x"));
  for (int i = 0; i < 5; i++) fake_wait_ms(1000);
  assert_non_null(peer->session);
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_string_equal(fake_peer_text(peer), "\x81\x01x");
  fake_wait_ms(1000);
  assert_true(fake_peer_has(peer, "\x89"));
  close_peer(peer);
}

static void the_queue_has_room_for_one_ping_and_one_pong(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  peer->room = 0;
  static char much[1 << 20];
  memset(much, 'x', sizeof much);
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_of(much, sizeof much)), SESSION_OK);
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_str("x")), SESSION_FULL);
  assert_int_equal(ws_ping(peer->session, slice_of(much, 126)), SESSION_INVALID);
  assert_int_equal(ws_ping(peer->session, slice_str("PING")), SESSION_OK);
  assert_int_equal(ws_ping(peer->session, slice_str("PING")), SESSION_FULL);
  for (int i = 0; i < 100; i++) send_frame(peer, 9, i < 99 ? "old" : "newest");
  fake_app_skips_drained = false;
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_false(fake_peer_has(peer, "old"));
  assert_true(fake_peer_has(peer, "\x89\x04PING\x8a\x06newest"));
  expect_events("drained\n");
  assert_int_equal(ws_ping(peer->session, slice_str("again")), SESSION_OK);
  close_peer(peer);
}

static void messages_that_do_not_end_have_a_time_and_a_bound(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send(peer, "\x01\x81\0\0\0\0a", 7);
  fake_turns();
  session_set_reading(peer->session, false);
  fake_wait_ms(fake.config.body_timeout_ms);  // the script takes its time
  session_set_reading(peer->session, true);
  fake_turns();
  assert_non_null(peer->session);
  expect_events("");
  long long slow = metric_get(&fake.server.stats.slow_requests);
  fake_wait_ms(fake.config.body_timeout_ms);
  expect_events("closed 1008 the message took too long\n");
  assert_int_equal(metric_get(&fake.server.stats.slow_requests), slow + 1);
  close_peer(peer);
  uint64_t bound = fake.config.message_memory_bytes;
  fake.config.message_memory_bytes = 100;
  struct fake_peer *others[3];
  char frame[46] = "\x01\xa8\0\0\0\0";
  memset(frame + 6, 'x', 40);
  for (int i = 0; i < 3; i++) others[i] = open_peer();
  for (int i = 0; i < 3; i++) {
    fake_peer_send(others[i], frame, sizeof frame);
    fake_turns();
  }
  assert_true(!others[0]->is_shut && others[2]->is_shut);
  buf_append_char(&fake_events, '\0');
  assert_non_null(strstr(fake_events.data, "closed 1013 too many messages are under way\n"));
  for (int i = 0; i < 3; i++) close_peer(others[i]);
  assert_int_equal(fake.worker->held_bytes, 0);
  fake.config.message_memory_bytes = bound;
}

static void a_script_that_does_not_read_keeps_messages_waiting(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  struct buf frames = {0};
  for (int i = 0; i < 3; i++) buf_append(&frames, "\x81\x81\0\0\0\0x", 7);
  fake_peer_send(peer, frames.data, 7);
  expect_events("text x\n");
  session_set_reading(peer->session, false);
  fake_peer_send(peer, frames.data, frames.end);
  fake_turns();
  expect_events("");
  session_set_reading(peer->session, true);
  fake_turns();
  expect_events("text x\ntext x\ntext x\n");
  buf_free(&frames);
  close_peer(peer);
}

static void contexts_are_kept_within_a_bound(void **state) {
  (void)state;
  options.compress = WS_COMPRESS_CONTEXT;
  extensions = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
  struct fake_peer *peer = open_peer();
  uint64_t one = fake.worker->ws_shared->context_bytes, bound = fake.config.compress_memory_bytes;
  assert_true(one > 0);
  static char text[200];
  memset(text, 'a', sizeof text);
  for (int i = 0; i < 2; i++)
    assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_of(text, sizeof text)), SESSION_OK);
  fake_turns();
  assert_true(buf_len(&peer->output) < 40);
  fake.config.compress_memory_bytes = one;
  struct fake_peer *other = open_peer();  // compresses without a context
  assert_int_equal(fake.worker->ws_shared->context_bytes, one);
  assert_int_equal(ws_send(other->session, MESSAGE_TEXT, slice_of(text, sizeof text)), SESSION_OK);
  fake_turns();
  assert_true(buf_len(&other->output) < 30 &&
              (other->output.data[other->output.start] & WS_RSV1) != 0);
  close_peer(other);
  close_peer(peer);
  assert_int_equal(fake.worker->ws_shared->context_bytes, 0);
  fake.config.compress_memory_bytes = bound;
  options.compress = WS_COMPRESS_OFF;
  peer = open_peer();
  assert_int_equal(ws_send(peer->session, MESSAGE_TEXT, slice_of(text, sizeof text)), SESSION_OK);
  fake_turns();
  assert_int_equal(buf_len(&peer->output), sizeof text + 4);
  close_peer(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(messages_come_whole, reset_options),
      cmocka_unit_test_setup(input_that_came_early_is_read_in_the_next_turn, reset_options),
      cmocka_unit_test_setup(only_fields_of_the_app_are_taken, reset_options),
      cmocka_unit_test_setup(closing_takes_both_sides, reset_options),
      cmocka_unit_test_setup(an_end_without_a_close_frame_is_1006, reset_options),
      cmocka_unit_test_setup(what_breaks_the_protocol_ends_the_session, reset_options),
      cmocka_unit_test_setup(heartbeats_find_peers_that_are_gone, reset_options),
      cmocka_unit_test_setup(no_heartbeat_while_the_socket_is_full, reset_options),
      cmocka_unit_test_setup(the_queue_has_room_for_one_ping_and_one_pong, reset_options),
      cmocka_unit_test_setup(messages_that_do_not_end_have_a_time_and_a_bound, reset_options),
      cmocka_unit_test_setup(a_script_that_does_not_read_keeps_messages_waiting, reset_options),
      cmocka_unit_test_setup(contexts_are_kept_within_a_bound, reset_options),
  };
  return cmocka_run_group_tests(tests, fake_app_open, fake_app_close);
}
