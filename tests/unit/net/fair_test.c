// Shares of a turn: a connection that has much to say gets on by one message or request a
// turn here (turn_time is 0), and others have theirs in between.
#include "net/fake_app.h"
#include "net/ws.h"

static struct session *accepted;

// A handler ends: with turn_time 0 the share is over.
static void spend(struct worker *worker) { turn_clock_end_task(&worker->clock); }

static void answer_or_accept(struct http_call *call) {
  static const struct ws_options options = {.max_message = 1000, .heartbeat_ms = 1000};
  fake_app_request(call);
  spend(call->worker);
  struct ws_handshake handshake = ws_handshake_check(call->request);
  if (handshake.status == 101)
    ws_accept(call, &handshake, &options, NULL, 0, &accepted);
  else if (call->request->has_body)
    http_want_body(call);
  else
    http_respond(call, 200, NULL, 0, slice_str("ok"));
}

static void take_message(struct session *session, enum message_kind kind, struct slice data) {
  fake_app_message(session, kind, data);
  spend(session_worker(session));
}

static void hear_of_end(struct session *session, int code, struct slice reason) {
  fake_app_closed(session, code, reason);
  spend(session_worker(session));
}

static int gaps_told;

static void hear_of_gap(struct session *session, struct slice topic, uint64_t missed) {
  (void)topic, (void)missed;
  gaps_told++;
  spend(session_worker(session));
}

static void on_timer(struct wheel_timer *timer) {
  (void)timer;
  spend(fake.worker);
}

static int open_fair(void **state) {
  (void)state;
  struct app app = fake_app;
  app.request = answer_or_accept;
  app.message = take_message;
  app.closed = hear_of_end;
  app.gap = hear_of_gap;
  gaps_told = 0;
  fake_app_skips_drained = true;
  fake_server_configure();
  fake_server_set("turn_time", "0");
  fake_server_set("send_queue", "1024");
  assert_true(fake_server_start(&app));
  fake_log_clear();
  buf_clear(&fake_events);
  return 0;
}

static struct fake_peer *open_ws(void) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(
      peer,
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  assert_ptr_equal(accepted, peer->session);
  fake_turns();
  buf_clear(&fake_events);
  fake_peer_clear(peer);
  return peer;
}

static void leave(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
  buf_clear(&fake_events);
}

static void turn(void) { turn_once(fake.worker, 0); }

static long long put_off(void) { return metric_get(&fake.server.stats.put_off); }

static const char FOUR[] = "\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x81\x81\0\0\0\0c\x81\x81\0\0\0\0d";

static void messages_of_one_wait_while_another_has_its_turn(void **state) {
  (void)state;
  struct fake_peer *greedy = open_ws(), *polite = open_ws();
  long long before = put_off();
  fake_peer_send(greedy, FOUR, sizeof FOUR - 1);
  expect_events("text a\n");
  fake_peer_send_frame(polite, 1, "hello", 5);
  expect_events("text hello\n");
  turn();
  expect_events("text b\n");
  fake_peer_send_frame(polite, 1, "again", 5);
  turn();
  expect_events("text again\ntext c\n");
  fake_turns();
  expect_events("text d\n");
  assert_int_equal(put_off() - before, 3);
  leave(greedy);
  leave(polite);
}

static void those_that_wait_get_on_one_after_the_other(void **state) {
  (void)state;
  struct fake_peer *one = open_ws(), *two = open_ws();
  fake_peer_send(one, FOUR, sizeof FOUR - 1);
  fake_peer_send(two, FOUR, sizeof FOUR - 1);
  expect_events("text a\ntext a\n");
  turn();
  expect_events("text b\n");  // of the first; the second is next
  turn();
  turn();
  expect_events("text b\ntext c\n");
  fake_turns();
  expect_events("text c\ntext d\ntext d\n");
  leave(one);
  leave(two);
}

// Of many that begin at once with much to say, each would hold the turn for one handler.
static void a_large_read_waits_when_the_turn_has_lasted_long(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  static const char empty_frame[6] = {'\x81', '\x80'};
  static char frames[COUNT * sizeof empty_frame];
  for (size_t i = 0; i < sizeof frames; i += sizeof empty_frame)
    memcpy(frames + i, empty_frame, sizeof empty_frame);
  struct fake_peer *polite = open_ws(), *greedy = open_ws();
  struct fake_peer *asks = fake_peer_open_http(fake.worker);
  fake_peer_send_frame(polite, 1, "first", 5);  // the turn is late from here on
  fake_peer_send(greedy, frames, sizeof frames);
  struct buf requests = {0};
  for (int i = 0; i < COUNT; i++) buf_append_str(&requests, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  fake_peer_send(asks, requests.data, buf_len(&requests));
  buf_free(&requests);
  fake_peer_send_frame(polite, 1, "again", 5);
  expect_events("text first\ntext again\n");
  turn();
  expect_events("text \n");
  turn();
  expect_events("request /a\nrequest closed\n");
  leave(polite);
  leave(greedy);
  leave(asks);
}

// Nothing is read from a peer whose input waits, so its pongs are not seen either.
static void whose_input_waits_is_not_taken_for_dead(void **state) {
  (void)state;
  struct fake_peer *greedy = open_ws();
  fake_peer_send(greedy, FOUR, sizeof FOUR - 1);
  for (int i = 0; i < 5; i++) {
    greedy->session->conn.waits_turn = true;  // as beside many others
    fake_clock_ms += 1000;
    turn();
    assert_non_null(greedy->session);
  }
  assert_int_equal(metric_get(&fake.server.stats.lost_peers), 0);
  greedy->session->conn.waits_turn = false;
  leave(greedy);
}

static void requests_of_one_wait_while_another_has_its_turn(void **state) {
  (void)state;
  struct fake_peer *greedy = fake_peer_open_http(fake.worker);
  struct fake_peer *polite = fake_peer_open_http(fake.worker);
  long long before = put_off();
  fake_peer_send_text(greedy,
                      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
                      "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_events("request /a\nrequest closed\n");
  fake_peer_send_text(polite, "GET /polite HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_events("request /polite\nrequest closed\n");
  turn();
  expect_events("request /b\nrequest closed\n");
  turn();
  expect_events("request /c\nrequest closed\n");
  assert_int_equal(put_off() - before, 2);
  leave(greedy);
  leave(polite);
}

// The time between two requests is the client's; here it is ours.
static void whose_requests_wait_is_not_idle(void **state) {
  (void)state;
  struct fake_peer *greedy = fake_peer_open_http(fake.worker);
  fake_peer_send_text(greedy,
                      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  struct conn *conn = &greedy->session->conn;
  assert_true(conn->waits_turn);
  conn->ops->timeout(conn);
  assert_true(conn_is_open(conn));
  fake_turns();
  expect_events("request /a\nrequest closed\nrequest /b\nrequest closed\n");
  conn->ops->timeout(conn);
  assert_false(conn_is_open(conn));
  leave(greedy);
}

static void requests_behind_an_end_are_answered(void **state) {
  (void)state;
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  fake_peer_end(peer);
  fake_turns();
  expect_events("request /a\nrequest closed\nrequest /b\nrequest closed\n");
  assert_null(peer->session);
  leave(peer);
}

// Close handlers of many that leave at once.
static void ends_are_told_one_after_the_other(void **state) {
  (void)state;
  struct fake_peer *peers[3];
  for (int i = 0; i < 3; i++) peers[i] = open_ws();
  for (int i = 0; i < 3; i++) conn_close(&peers[i]->session->conn);
  turn();
  expect_events("closed 1006 \n");
  struct fake_peer *polite = open_ws();  // opening it takes turns
  for (int i = 0; i < 3; i++) {
    assert_null(peers[i]->session);
    leave(peers[i]);
  }
  leave(polite);
}

static void gaps_are_told_one_after_the_other(void **state) {
  (void)state;
  struct fake_peer *peers[3];
  for (int i = 0; i < 3; i++) peers[i] = open_ws();
  for (int i = 0; i < 3; i++)
    session_note_gap(&peers[i]->session->reader, slice_str("t"), 5, HUB_LAG_SKIP);
  turn();
  assert_int_equal(gaps_told, 1);
  conn_close(&peers[2]->session->conn);  // its gap is of no interest any more
  fake_turns();
  assert_int_equal(gaps_told, 2);
  assert_false(peers[1]->session->reader.is_blocked);
  for (int i = 0; i < 3; i++) leave(peers[i]);
}

// One that is behind by much, as timers that a client had made, holds up no other.
static void each_kind_of_work_gets_on_in_each_turn(void **state) {
  (void)state;
  enum { TIMERS = 3 };
  static struct wheel_timer timers[WORK_KINDS][TIMERS];
  for (unsigned kind = 0; kind < WORK_KINDS; kind++) {
    for (int i = 0; i < TIMERS; i++) {
      wheel_timer_init(&timers[kind][i], on_timer);
      wheel_timer_set_kind(&timers[kind][i], kind);
      worker_set_timer(fake.worker, &timers[kind][i], 1);
    }
  }
  fake_clock_ms += 10;
  for (int i = 0; i < TIMERS; i++) {
    turn();
    for (unsigned kind = 0; kind < WORK_KINDS; kind++) {
      assert_false(wheel_timer_is_set(&timers[kind][i]));
      if (i + 1 < TIMERS) assert_true(wheel_timer_is_set(&timers[kind][i + 1]));
    }
  }
}

static void timers_that_are_due_fire_one_a_turn(void **state) {
  (void)state;
  enum { TIMERS = 3 };
  static struct wheel_timer timers[TIMERS];
  int fired = 0;
  for (int i = 0; i < TIMERS; i++) {
    wheel_timer_init(&timers[i], on_timer);
    worker_set_timer(fake.worker, &timers[i], 1);
  }
  fake_clock_ms += 10;
  turn();
  for (int i = 0; i < TIMERS; i++) fired += !wheel_timer_is_set(&timers[i]);
  assert_int_equal(fired, 1);
  fake_turns();
  for (int i = 0; i < TIMERS; i++) assert_false(wheel_timer_is_set(&timers[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_of_one_wait_while_another_has_its_turn),
      cmocka_unit_test(those_that_wait_get_on_one_after_the_other),
      cmocka_unit_test(a_large_read_waits_when_the_turn_has_lasted_long),
      cmocka_unit_test(whose_input_waits_is_not_taken_for_dead),
      cmocka_unit_test(requests_of_one_wait_while_another_has_its_turn),
      cmocka_unit_test(whose_requests_wait_is_not_idle),
      cmocka_unit_test(requests_behind_an_end_are_answered),
      cmocka_unit_test(ends_are_told_one_after_the_other),
      cmocka_unit_test(gaps_are_told_one_after_the_other),
      cmocka_unit_test(each_kind_of_work_gets_on_in_each_turn),
      cmocka_unit_test(timers_that_are_due_fire_one_a_turn),
  };
  return cmocka_run_group_tests(tests, open_fair, fake_app_close);
}
