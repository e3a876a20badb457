// What waits for handlers on the side of scripts: it gets on by one a turn here, where each
// task that ends has used its share of a turn.
#include "script/fake_call.h"
#include "script/fake_gate.h"

#define WS_HEADERS                                                             \
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void open_gate(const char *script) {
  gate_open(script);
  fake.worker->clock.whole_share = 1;
}

static struct fake_peer *open_ws(void) {
  struct fake_call *call = fake_call_start(fake.worker, "GET /", WS_HEADERS);
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  fake_turns();
  return peer;
}

static void leave(struct fake_peer *peer) {
  if (peer->session != NULL) fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

static void say(struct fake_peer *peer, const char *letters) {
  for (; *letters != '\0'; letters++) {
    fake_peer_send_frame(peer, 1, letters, 1);
    fake_turns();
  }
}

static void turn(void) { turn_once(fake.worker, 0); }

// Until the wait of 100 ms that handlers begin with is over.
static void wait_out(void) {
  fake_clock_ms += 100;
  turn();
}

static void messages_that_waited_for_a_handler_come_one_a_turn(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', { message = function(_, text)\n"
      "    if text == 'a' then gate.sleep(0.1) end note(text) end,\n"
      "  close = function() note('close') end })\n");
  struct fake_peer *peer = open_ws();
  say(peer, "abcd");
  wait_out();
  expect_notes("a\n");
  turn();
  expect_notes("b\n");
  fake_peer_send_frame(peer, 1, "e", 1);  // goes behind the others
  turn();
  expect_notes("c\n");
  fake_peer_break(peer);
  turn();
  expect_notes("d\n");
  fake_turns();
  expect_notes("e\nclose\n");
  leave(peer);
}

static void a_task_that_receives_waits_for_its_turn(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', function(ws) gate.sleep(0.1)\n"
      "  for text in ws:messages() do note(text) end note('closed') end)\n");
  struct fake_peer *peer = open_ws();
  say(peer, "abcd");
  wait_out();
  expect_notes("");
  turn();
  expect_notes("a\n");
  fake_peer_send_frame(peer, 1, "e", 1);
  turn();
  expect_notes("b\n");
  turn();
  expect_notes("c\n");
  fake_turns();
  expect_notes("d\ne\n");
  leave(peer);
  expect_notes("closed\n");
}

static void a_session_that_ends_meanwhile_loses_no_message(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', function(ws) gate.sleep(0.1)\n"
      "  for text in ws:messages() do note(text) end note('closed') end)\n");
  struct fake_peer *peer = open_ws();
  say(peer, "abc");
  wait_out();
  fake_peer_break(peer);
  turn();
  expect_notes("a\n");
  fake_turns();
  expect_notes("b\nc\nclosed\n");
  fake_peer_free(peer);
}

static void a_time_limit_does_not_beat_a_message(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', function(ws) gate.sleep(0.1)\n"
      "  while true do\n"
      "    local text, why = ws:recv(0) if not text then note(why) return end note(text) end "
      "end)\n");
  struct fake_peer *peer = open_ws();
  say(peer, "abc");
  fake_clock_ms += 100;
  for (int i = 0; i < 10; i++) {
    fake_clock_ms += 10;
    turn();
  }
  expect_notes("a\nb\nc\ntimeout\n");
  leave(peer);
}

// Nor does it give a session that polls a second share of each turn.
static void a_time_limit_is_no_turn(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', function(ws) gate.sleep(0.1)\n"
      "  while true do local text = ws:recv(0) if not text then return end note(text) end end)\n");
  struct fake_peer *one = open_ws(), *two = open_ws();
  say(one, "abc");
  say(two, "xyz");
  wait_out();
  static const char *const notes[] = {"a\n", "b\n", "x\n", "c\n"};
  for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
    fake_clock_ms += 10;
    turn();
    expect_notes(notes[i]);
  }
  leave(one);
  leave(two);
}

static void spawned_tasks_begin_one_a_turn(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', { message = function()\n"
      "  for i = 1, 3 do gate.spawn(function() note(i) end) end end })\n");
  struct fake_peer *peer = open_ws();
  fake_peer_send_frame(peer, 1, "x", 1);
  fake_clock_ms += 10;
  turn();
  expect_notes("1\n");
  turn();
  expect_notes("2\n");
  turn();
  expect_notes("3\n");
  leave(peer);
}

static void a_subscriber_in_the_server_takes_one_message_a_turn(void **state) {
  (void)state;
  open_gate(
      "gate.subscribe('t', function(_, text) note(text) end)\n"
      "gate.ws('/', { message = function() for i = 1, 3 do gate.publish('t', tostring(i)) end end "
      "})\n");
  struct fake_peer *peer = open_ws();
  fake_peer_send_frame(peer, 1, "x", 1);
  turn();
  expect_notes("1\n");
  turn();
  expect_notes("2\n");
  turn();
  expect_notes("3\n");
  leave(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(messages_that_waited_for_a_handler_come_one_a_turn),
      gate_test(a_task_that_receives_waits_for_its_turn),
      gate_test(a_session_that_ends_meanwhile_loses_no_message),
      gate_test(a_time_limit_does_not_beat_a_message),
      gate_test(a_time_limit_is_no_turn),
      gate_test(spawned_tasks_begin_one_a_turn),
      gate_test(a_subscriber_in_the_server_takes_one_message_a_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
