// Sessions of scripts: which handler runs when, what waits meanwhile, and how they end.
#include "script/fake_call.h"
#include "script/fake_gate.h"

#define WS_HEADERS                                                             \
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// Its peer; NULL when the request was refused.
static struct fake_peer *open_session(const char *line, const char *headers) {
  struct fake_call *call = fake_call_start(fake.worker, line, headers);
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  fake_turns();
  return peer;
}

static struct fake_peer *open_ws(const char *line) { return open_session(line, WS_HEADERS); }

static void say(struct fake_peer *peer, const char *text) {
  fake_peer_send_frame(peer, 1, text, strlen(text));
  fake_turns();
}

// The peer's close frame, and that of the server in answer.
static void say_close(struct fake_peer *peer, const char *code_and_reason) {
  fake_peer_send_frame(peer, 8, code_and_reason, strlen(code_and_reason));
  fake_turns();
}

static void leave(struct fake_peer *peer) {
  if (!peer->has_ended) fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

static void handlers_run_in_order(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { open = function(ws) note('open', ws.data.name) ws.data.n = 0 end,\n"
      "  message = function(ws, text, kind) note('message', text, kind) ws:send(text) end,\n"
      "  upgrade = function() return { name = 'ann' } end,\n"
      "  close = function(ws, code, reason) note('close', code, reason) end })\n");
  struct fake_peer *peer = open_ws("GET /");
  say(peer, "one");
  fake_peer_send_frame(peer, 2, "two", 3);
  fake_turns();
  assert_true(fake_peer_has(peer, "one") && fake_peer_has(peer, "two"));
  say_close(peer, "\x0f\xa0 bye");
  expect_notes("open ann\nmessage one text\nmessage two binary\nclose 4000  bye\n");
  assert_true(peer->is_shut);
  leave(peer);
}

static void events_wait_while_a_handler_waits(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = function(ws, text)\n"
      "    note('begins', text) gate.sleep(0.1) note('ends', text) end,\n"
      "  close = function(ws, code) note('close', code) end })\n");
  struct fake_peer *peer = open_ws("GET /");
  say(peer, "a");
  say(peer, "b");
  fake_peer_break(peer);
  fake_turns();
  expect_notes("begins a\n");
  fake_wait_ms(100);
  expect_notes("ends a\nbegins b\n");
  fake_wait_ms(100);
  expect_notes("ends b\nclose 1006\n");
  fake_peer_free(peer);
}

static void a_full_queue_of_events_stops_reading(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = function(ws, text)\n"
      "  if text == 'wait' then gate.sleep(1) else note(#text) end end })\n");
  struct fake_peer *peer = open_ws("GET /");
  char text[125];
  memset(text, 'x', sizeof text);
  say(peer, "wait");
  for (int i = 0; i < 1000; i++) {
    fake_peer_send_frame(peer, 1, text, sizeof text);
    if (i % 50 == 0) fake_turns();
  }
  fake_turns();
  assert_false(peer->session->conn.is_reading);
  size_t waiting = buf_len(&peer->input);
  assert_true(waiting > 0);
  expect_notes("");
  fake_wait_ms(1000);
  assert_int_equal(buf_len(&peer->input), 0);
  assert_true(peer->session->conn.is_reading);
  unsigned count = 0;
  for (const char *notes = gate_notes(); *notes != '\0'; notes++) count += *notes == '\n';
  assert_int_equal(count, 1000);
  leave(peer);
}

static void an_error_ends_the_session_and_close_is_told(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = function(ws, text) error('on purpose') end,\n"
      "  close = function(ws, code, reason) note('close', code, reason) end })\n");
  struct fake_peer *peer = open_ws("GET /");
  say(peer, "one");
  say(peer, "dropped");
  assert_true(fake_log_has("on purpose\nstack traceback"));
  assert_true(fake_log_has("route=ws / conn="));
  assert_true(fake_peer_has(peer, "\x03\xf3internal error"));
  say_close(peer, "\x03\xf3");
  expect_notes("close 1011 \n");
  leave(peer);
}

static void a_task_serves_with_recv(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', function(ws)\n"
      "  note(ws:recv(0.05))\n"
      "  for text, kind in ws:messages() do\n"
      "    note(text, kind)\n"
      "    if text == 'wait' then gate.sleep(0.1) end\n"
      "    if text == 'end' then return end\n"
      "  end\n"
      "  note('over', ws:recv())\n"
      "end)\n");
  struct fake_peer *peer = open_ws("GET /");
  fake_wait_ms(50);
  say(peer, "wait");
  say(peer, "queued");
  expect_notes("nil timeout timeout\nwait text\n");
  fake_wait_ms(100);
  expect_notes("queued text\n");
  say(peer, "end");
  expect_notes("end text\n");
  assert_true(fake_peer_has(peer, "\x03\xe8"));  // 1000
  leave(peer);
  peer = open_ws("GET /");
  fake_wait_ms(50);
  fake_peer_break(peer);
  fake_turns();
  expect_notes("nil timeout timeout\nover nil closed closed\n");
  fake_peer_free(peer);
}

static void only_one_task_may_recv(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', function(ws)\n"
      "  gate.spawn(function() note(select(2, pcall(ws.recv, ws))) end)\n"
      "  ws:recv()\n"
      "end)\n");
  struct fake_peer *peer = open_ws("GET /");
  fake_wait_ms(1);
  assert_non_null(strstr(gate_notes(), "another task waits in recv already"));
  leave(peer);
}

#define SEND_MUCH                                         \
  "local function fill(conn)\n"                           \
  "  for i = 1, 100 do\n"                                 \
  "    local ok, why, code = conn:send(('x'):rep(100))\n" \
  "    if not ok then return i, why, code end\n"          \
  "  end\n"                                               \
  "end\n"

static void open_with_a_small_queue(const char *script) {
  scripts_open();
  gate_write(script);
  fake_log_clear();
  fake_server_configure();
  fake_server_set("send_queue", "1024");
  assert_null(gate_try_start());
  fake_turns();
}

static void a_full_queue_of_output_is_followed_by_drain(void **state) {
  (void)state;
  open_with_a_small_queue(
      SEND_MUCH
      "gate.ws('/', { message = function(ws) note(fill(ws)) note(ws:buffered() > 1000) end,\n"
      "  drain = function(ws) note('drain', ws:buffered()) end })\n");
  struct fake_peer *peer = open_ws("GET /");
  peer->room = 0;
  say(peer, "go");
  expect_notes("11 full full\ntrue\n");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_notes("drain 0\n");
  say_close(peer, "\x03\xe8");
  leave(peer);
}

static void on_full_can_be_the_end(void **state) {
  (void)state;
  open_with_a_small_queue(
      SEND_MUCH
      "local function close(conn, code, reason) note('close', code, reason) end\n"
      "gate.ws('/', { message = function(ws) note(fill(ws)) note(ws:send('x')) end,\n"
      "  on_full = 'close', close = close })\n"
      "gate.sse('/events', { open = function(s) note(fill(s)) note(s:send('x')) end,\n"
      "  on_full = 'close', close = close })\n");
  struct fake_peer *peer = open_ws("GET /");
  peer->room = 0;
  say(peer, "go");
  expect_notes("11 full full\nnil closed closed\n");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_true(fake_peer_has(peer, "\x03\xf5too slow"));
  fake_wait_ms(5000);  // it does not answer
  expect_notes("close 1013 \n");
  fake_peer_free(peer);
  peer = open_session("GET /events", "");
  expect_notes("10 full full\nnil closed closed\nclose 0 \n");
  leave(peer);
}

static void drain_waits_for_the_socket(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = function(ws, text)\n"
      "  note(ws:drain()) ws:send('x') note(ws:drain(0.05)) note(ws:drain()) note(ws:drain(0))\n"
      "end })\n");
  struct fake_peer *peer = open_ws("GET /");
  peer->room = 0;
  say(peer, "go");
  expect_notes("true\n");
  fake_wait_ms(50);
  expect_notes("nil timeout timeout\n");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_notes("true\ntrue\n");
  peer->room = 0;
  say(peer, "again");
  fake_wait_ms(50);
  fake_peer_break(peer);
  fake_turns();
  expect_notes("true\nnil timeout timeout\nnil closed closed\nnil closed closed\n");
  fake_peer_free(peer);
}

static void a_gap_that_waits_holds_up_no_recv(void **state) {
  (void)state;
  gate_open(
      "gate.topic('t', { history = 1 })\n"
      "gate.ws('/', { open = function(ws) ws:join('t')\n"
      "    for text in ws:messages() do note(text) end end,\n"
      "  gap = function(ws, topic, missed) note('gap', topic) end,\n"
      "  message = function(ws, text) note('message', text) end })\n"
      "gate.post('/publish', function() for i = 1, 9 do gate.publish('t', 'x') end end)\n");
  struct fake_peer *peer = open_ws("GET /");
  peer->room = 0;
  for (int i = 0; i < 3; i++) {
    fake_call_free(fake_call_start(fake.worker, "POST /publish", ""));
    fake_turns();
  }
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  fake_peer_send_frame(peer, 1, "a", 1);
  fake_turns();
  fake_peer_send_frame(peer, 1, "b", 1);
  fake_turns();
  expect_notes("a\nb\n");
  leave(peer);
}

static void gaps_come_before_close(void **state) {
  (void)state;
  gate_open(
      "gate.topic('t', { history = 1, lag = 'close' })\n"
      "gate.ws('/', { open = function(ws) ws:join('t') end,\n"
      "  gap = function(ws, topic, missed) note('gap', topic, missed > 0) ws:send('bye') end,\n"
      "  close = function(ws, code, reason) note('close', code, reason) end })\n"
      "gate.post('/publish', function() for i = 1, 9 do gate.publish('t', 'x') end end)\n");
  struct fake_peer *peer = open_ws("GET /");
  peer->room = 0;
  for (int i = 0; i < 3; i++) {
    fake_call_free(fake_call_start(fake.worker, "POST /publish", ""));
    fake_turns();
  }
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_notes("gap t true\n");
  assert_true(fake_peer_has(peer, "bye") && fake_peer_has(peer, "\x03\xf5too slow"));
  say_close(peer, "\x03\xf5");
  expect_notes("close 1013 \n");
  leave(peer);
}

static void sessions_move_to_the_new_generation(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/stays', { message = function() note('old') end })\n"
      "gate.ws('/becomes/task', { message = function() note('old') end })\n"
      "gate.ws('/goes', { message = function() end, close = function() note('old') end })\n"
      "gate.sse('/goes/too', { open = function() end })\n");
  struct fake_peer *stays = open_ws("GET /stays"), *becomes = open_ws("GET /becomes/task");
  struct fake_peer *goes = open_ws("GET /goes"), *stream = open_session("GET /goes/too", "");
  say(stays, "x");
  expect_notes("old\n");
  gate_reload_with(
      "gate.ws('/stays', { message = function() note('new') end })\n"
      "gate.ws('/becomes/task', function(ws) note(ws:recv()) note(ws:recv()) end)\n");
  say(stays, "x");
  expect_notes("new\n");
  say(becomes, "one");
  say(becomes, "two");
  expect_notes("one text\ntwo text\n");
  assert_true(fake_peer_has(becomes, "\x03\xe8"));
  assert_true(fake_peer_has(goes, "\x03\xf4the route is gone"));
  assert_true(stream->is_shut);
  gate_reload_with("gate.ws('/stays', { message = function() note('newer') end })\n");
  say(stays, "x");
  expect_notes("newer\n");
  leave(stays);
  leave(becomes);
  leave(goes);
  leave(stream);
}

static void handlers_that_wait_end_with_the_server(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = function(ws)\n"
      "    local held <close> = setmetatable({}, { __close = function() note('let go') end })\n"
      "    gate.sleep(1000) end,\n"
      "  close = function(ws) note('close') gate.sleep(1000) note('never') end })\n");
  struct fake_peer *in_message = open_ws("GET /"), *in_close = open_ws("GET /");
  say(in_message, "x");
  leave(in_message);
  leave(in_close);
  expect_notes("close\n");  // the one waits behind its message
  // The teardown ends both; nothing must be left behind.
}

static void who_may_not_in_is_answered(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { message = print, upgrade = function(req)\n"
      "  local how = req.query.how\n"
      "  if how == 'no' then return nil end\n"
      "  if how == 'status' then return 429, 'slow', { ['Retry-After'] = '1' } end\n"
      "  if how == 'text' then return 'in' end\n"
      "  if how == 'headers' then return true, 1 end\n"
      "  if how == 'own' then return true, { ['Sec-WebSocket-Accept'] = 'x' } end\n"
      "  return true, { ['X-A'] = 'b' } end })\n");
  static const struct {
    const char *line, *headers;
    int status;
  } rows[] = {
      {"GET /?how=no", WS_HEADERS, 403},
      {"GET /?how=status", WS_HEADERS, 429},
      {"GET /?how=text", WS_HEADERS, 500},
      {"GET /?how=headers", WS_HEADERS, 500},
      {"GET /?how=own", WS_HEADERS, 500},
      {"GET /", "", 426},
      {"GET /", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_call *call = fake_call_start(fake.worker, rows[i].line, rows[i].headers);
    assert_true(call->is_ended && call->peer == NULL);
    assert_int_equal(call->status, rows[i].status);
    fake_call_free(call);
  }
  struct fake_call *call = fake_call_start(fake.worker, "GET /", WS_HEADERS);
  assert_int_equal(call->status, 101);
  assert_non_null(strstr(fake_call_text(&call->fields), "X-A: b\n"));
  assert_non_null(strstr(fake_call_text(&call->fields),
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"));
  leave(call->peer);
  fake_call_free(call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(handlers_run_in_order),
      gate_test(events_wait_while_a_handler_waits),
      gate_test(a_full_queue_of_events_stops_reading),
      gate_test(an_error_ends_the_session_and_close_is_told),
      gate_test(a_task_serves_with_recv),
      gate_test(only_one_task_may_recv),
      gate_test(a_full_queue_of_output_is_followed_by_drain),
      gate_test(on_full_can_be_the_end),
      gate_test(drain_waits_for_the_socket),
      gate_test(a_gap_that_waits_holds_up_no_recv),
      gate_test(gaps_come_before_close),
      gate_test(sessions_move_to_the_new_generation),
      gate_test(handlers_that_wait_end_with_the_server),
      gate_test(who_may_not_in_is_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
