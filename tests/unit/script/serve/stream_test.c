// Event streams of scripts: what is sent, how they resume, and when they end.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static struct fake_peer *open_stream(const char *line, const char *headers) {
  struct fake_call *call = fake_call_start(fake.worker, line, headers);
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  assert_non_null(peer);
  fake_turns();
  return peer;
}

static void leave(struct fake_peer *peer) {
  if (peer->session != NULL) fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

static void answers_the_head_of_a_stream(void **state) {
  (void)state;
  gate_open(
      "gate.sse('/', { open = function(s) note('open', s.id ~= nil) end,\n"
      "  upgrade = function() return true, { ['X-A'] = 'b', ['Content-Type'] = 'c/d' } end,\n"
      "  close = function(s, code, reason) note('close', code, reason) end })\n");
  struct fake_call *call = fake_call_start(fake.worker, "GET /", "");
  assert_int_equal(call->status, 200);
  assert_string_equal(fake_call_text(&call->fields),
                      "Content-Type: text/event-stream\n"
                      "Cache-Control: no-cache, no-store, no-transform\n"
                      "X-Accel-Buffering: no\nX-A: b\nConnection: close\n");
  fake_turns();
  expect_notes("open true\n");
  leave(call->peer);
  expect_notes("close 0 \n");
  fake_call_free(call);
  call = fake_call_start(fake.worker, "HEAD /", "");
  assert_int_equal(call->status, 200);
  fake_turns();
  expect_notes("");  // the head alone
  assert_true(call->peer->is_shut);
  leave(call->peer);
  fake_call_free(call);
}

static void writes_events(void **state) {
  (void)state;
  gate_open(
      "gate.sse('/', { open = function(s)\n"
      "  note(s:send('text'))\n"
      "  note(s:send({ event = 'e', data = { a = 1 }, id = '7', retry = 9, comment = 'c' }))\n"
      "  note(s:send({ data = 5 }))\n"
      "  note(s:send({ event = 'a\\nb', data = 'x' }))\n"
      "  note(pcall(s.send, s, { dat = 1 }))\n"
      "  note(pcall(s.send, s, { retry = 1.5 }))\n"
      "  note(pcall(s.send, s, { retry = -1 }))\n"
      "  note(pcall(s.send, s, 5))\n"
      "  note(s:close())\n"
      "  note(s:close())\n"
      "  note(s:send('late'))\n"
      "end })\n");
  struct fake_peer *peer = open_stream("GET /", "");
  assert_true(fake_peer_has(peer, "data: text\n\n"));
  assert_true(fake_peer_has(peer, "data: {\"a\":1}\n"));
  assert_true(fake_peer_has(peer, "event: e\n"));
  assert_true(fake_peer_has(peer, "id: 7\n"));
  assert_true(fake_peer_has(peer, "retry: 9\n"));
  assert_true(fake_peer_has(peer, "data: 5\n\n"));
  assert_false(fake_peer_has(peer, "late"));
  assert_true(peer->is_shut);
  const char *notes = gate_notes();
  assert_ptr_equal(strstr(notes, "true\ntrue\ntrue\nnil "), notes);
  assert_non_null(strstr(notes, " invalid\n"));
  assert_non_null(strstr(notes, "false send: unknown option \"dat\""));
  assert_non_null(strstr(notes, "send: retry must be a whole number (got 1.5)"));
  assert_non_null(strstr(notes, "send: retry must be a number from 0 to 2147483647 (got -1)"));
  assert_non_null(strstr(notes, "send: event must be a string or a table (got number)"));
  assert_non_null(strstr(notes, "true\nnil closed closed\nnil closed closed\n"));
  leave(peer);
}

static void lives_on_from_the_topics_that_its_task_joined(void **state) {
  (void)state;
  gate_open(
      "gate.sse('/', function(s) s:join('t') end)\n"
      "gate.sse('/alone', function(s) s:send('bye') end)\n"
      "gate.sse('/fails', function(s) s:join('t') error('on purpose') end)\n"
      "gate.post('/', function() gate.publish('t', 'hello', { event = 'e' }) end)\n");
  struct fake_peer *peer = open_stream("GET /", ""), *alone = open_stream("GET /alone", "");
  struct fake_peer *fails = open_stream("GET /fails", "");
  assert_true(alone->is_shut && fake_peer_has(alone, "data: bye\n\n"));
  assert_true(fails->is_shut);
  assert_true(fake_log_has("on purpose") && fake_log_has("route=sse /fails conn="));
  fake_call_free(fake_call_start(fake.worker, "POST /", ""));
  fake_turns();
  assert_true(fake_peer_has(peer, "event: e\ndata: hello\n"));
  leave(peer);
  leave(alone);
  leave(fails);
}

static void resumes_what_its_client_saw_last(void **state) {
  (void)state;
  gate_open(
      "gate.topic('t', { history = 10 })\n"
      "gate.sse('/', { open = function(s)\n"
      "  local joined = s:join('t', { since = 'first' })\n"
      "  note(s.last_event_id ~= nil, joined.recovered, joined.missed)\n"
      "end })\n"
      "gate.post('/', function(req) return (gate.publish('t', req:body())) end)\n");
  char id[64];
  for (int i = 0; i < 3; i++) {
    struct fake_call *call = fake_call_start(fake.worker, "POST /", "");
    char text[2] = {(char)('a' + i)};
    fake_call_upload(call, text);
    if (i == 0) snprintf(id, sizeof id, "%s", fake_call_text(&call->body));
    fake_call_free(call);
  }
  struct fake_peer *peer = open_stream("GET /", "");
  assert_true(fake_peer_has(peer, "data: a\n") && fake_peer_has(peer, "data: c\n"));
  leave(peer);
  char *header = mem_format("Last-Event-ID: %s\r\n", id),
       *line = mem_format("GET /?lastEventId=%s", id);
  for (int i = 0; i < 2; i++) {
    peer = i == 0 ? open_stream("GET /", header) : open_stream(line, "");
    assert_false(fake_peer_has(peer, "data: a\n"));
    assert_true(fake_peer_has(peer, "data: b\n") && fake_peer_has(peer, "data: c\n"));
    leave(peer);
  }
  free(header);
  free(line);
  expect_notes("false false 0\ntrue true 0\ntrue true 0\n");
  peer = open_stream("GET /", "Last-Event-ID: of another server\r\n");
  assert_true(fake_peer_has(peer, "event: gap\ndata: {\"topic\":\"t\",\"missed\":null}\n\n"));
  leave(peer);
}

static void sends_a_comment_now_and_then(void **state) {
  (void)state;
  gate_open("gate.sse('/', { open = function() end, keepalive = 2 })");
  struct fake_peer *peer = open_stream("GET /", "");
  fake_wait_ms(1999);
  assert_false(fake_peer_has(peer, ":\n\n"));
  fake_wait_ms(1);
  assert_true(fake_peer_has(peer, ":\n\n"));
  fake_peer_send_text(peer, "is not heard");
  fake_turns();
  leave(peer);
}

static void join_and_leave_say_what_is_wrong(void **state) {
  (void)state;
  gate_open(
      "gate.topic('small', { limit = 1 })\n"
      "gate.topic('bare', { presence = false })\n"
      "gate.sse('/', { open = function(s)\n"
      "  note(s:join(''))\n"
      "  note(s:join('bare', { as = 'ann' }))\n"
      "  note(s:join('t', { as = '' }))\n"
      "  note(s:join('t', { as = 'a', info = ('x'):rep(20000) }))\n"
      "  note(s:join('t', { as = 'a', info = '\\xff' }))\n"
      "  note(s:leave('t'))\n"
      "  note(pcall(s.join, s, 't', { as = {} }))\n"
      "  note(pcall(s.join, s, 't', { info = 1 }))\n"
      "  note(pcall(s.join, s, 't', { lag = 'x' }))\n"
      "  note(s:join('small') ~= nil, s:join('t', { as = 5, info = { 1 } }) ~= nil)\n"
      "  note(table.concat(s:topics(), ' '))\n"
      "  note(s:leave('t'), s:leave(''))\n"
      "  note(#gate.presence('t'))\n"
      "end })\n");
  struct fake_peer *peer = open_stream("GET /", "");
  const char *notes = gate_notes();
  static const char *const expected[] = {"nil a topic ",
                                         " topic\n",
                                         " presence\n",
                                         " as\n",
                                         " too_large\n",
                                         " utf8\n",
                                         "nil not joined not_joined\n",
                                         "join: as must be a string or a whole number, got table",
                                         "join: info is about a member: it needs as",
                                         "true true\nsmall t\ntrue nil a topic "};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    if (strstr(notes, expected[i]) == NULL) fail_msg("no \"%s\" in\n%s", expected[i], notes);
  }
  struct fake_peer *second = open_stream("GET /", "");
  assert_non_null(strstr(gate_notes(), "false true\nt\n"));  // small is full
  leave(second);
  leave(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(answers_the_head_of_a_stream),
      gate_test(writes_events),
      gate_test(lives_on_from_the_topics_that_its_task_joined),
      gate_test(resumes_what_its_client_saw_last),
      gate_test(sends_a_comment_now_and_then),
      gate_test(join_and_leave_say_what_is_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
