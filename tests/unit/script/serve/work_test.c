// Tasks that go on after a wait, beside many others that are due: each kind of work (enum work)
// gets on in each turn. Each task that ends has used its share of a turn here.
#include "script/fake_call.h"
#include "script/fake_gate.h"

enum { CALLS = 3 };

#define ASLEEP                       \
  "gate.get('/asleep', function()\n" \
  "  gate.sleep(0.1) note('awake') return 'ok' end)\n"

static struct fake_call *calls[CALLS];
static size_t call_count;

static void open_gate(const char *script) {
  gate_open(script);
  fake.worker->clock.whole_share = 1;
  call_count = 0;
}

static void ask(const char *line) {
  assert_true(call_count < CALLS);
  calls[call_count++] = fake_call_start(fake.worker, line, "");
  fake_turns();
}

static void leave(void) {
  while (call_count > 0) fake_call_free(calls[--call_count]);
}

static void turn(void) { turn_once(fake.worker, 0); }

// Until what waits for 100 ms is due.
static void wait_out(void) {
  fake_clock_ms += 100;
  turn();
}

static void who_waits_for_a_task_does_not_wait_for_timers(void **state) {
  (void)state;
  open_gate(
      "gate.get('/flood', function()\n"
      "  for i = 1, 3 do gate.after(0.1, function() note('timer ' .. i) end) end return 'ok' "
      "end)\n" ASLEEP);
  ask("GET /flood");
  ask("GET /asleep");
  wait_out();
  expect_notes("awake\ntimer 1\n");
  expect_answer(calls[1], 200, "ok");
  turn();
  expect_notes("timer 2\n");
  turn();
  expect_notes("timer 3\n");
  leave();
}

static void a_spawned_task_that_sleeps_counts_as_spawned(void **state) {
  (void)state;
  open_gate(
      "gate.get('/flood', function()\n"
      "  for i = 1, 3 do gate.spawn(function() gate.sleep(0.1) note(i) end) end return 'ok' "
      "end)\n" ASLEEP);
  ask("GET /flood");
  fake_clock_ms += 1;
  fake_turns();
  ask("GET /asleep");
  wait_out();
  expect_notes("awake\n1\n");
  fake_turns();
  expect_notes("2\n3\n");
  leave();
}

// A client can have its answers, and ask for more, while their handlers still wait.
static void nobody_waits_for_a_task_that_has_answered(void **state) {
  (void)state;
  open_gate(
      "gate.get('/left', function(_, res)\n"
      "  res:finish('ok') gate.sleep(0.1) note('left') end)\n" ASLEEP);
  ask("GET /left");
  ask("GET /left");
  ask("GET /asleep");
  wait_out();
  expect_notes("awake\nleft\n");
  turn();
  expect_notes("left\n");
  leave();
}

static void what_scripts_began_does_not_wait_for_what_handlers_did(void **state) {
  (void)state;
  open_gate(
      "gate.every(0.1, function() note('every') end)\n"
      "gate.subscribe('t', function() gate.sleep(0.1) note('subscribe') end)\n"
      "gate.get('/flood', function() gate.publish('t', 'x')\n"
      "  for i = 1, 3 do gate.after(0.1, function() note('timer ' .. i) end) end return 'ok' "
      "end)\n");
  ask("GET /flood");
  wait_out();
  expect_notes("every\ntimer 1\n");
  turn();
  expect_notes("subscribe\ntimer 2\n");
  turn();
  expect_notes("timer 3\n");
  leave();
}

static void put_off_messages_do_not_wait_for_timers(void **state) {
  (void)state;
  open_gate(
      "gate.ws('/', function(ws) gate.sleep(0.1) for text in ws:messages() do note(text) end end)\n"
      "gate.get('/flood', function()\n"
      "  for i = 1, 3 do gate.after(0.1, function() note('timer ' .. i) end) end return 'ok' "
      "end)\n");
  struct fake_call *call =
      fake_call_start(fake.worker, "GET /",
                      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  fake_turns();
  fake_peer_send_frame(peer, 1, "a", 1);
  fake_peer_send_frame(peer, 1, "b", 1);
  ask("GET /flood");
  wait_out();
  expect_notes("timer 1\n");
  turn();
  expect_notes("a\ntimer 2\n");
  turn();
  expect_notes("b\ntimer 3\n");
  leave();
  fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(who_waits_for_a_task_does_not_wait_for_timers),
      gate_test(a_spawned_task_that_sleeps_counts_as_spawned),
      gate_test(nobody_waits_for_a_task_that_has_answered),
      gate_test(what_scripts_began_does_not_wait_for_what_handlers_did),
      gate_test(put_off_messages_do_not_wait_for_timers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
