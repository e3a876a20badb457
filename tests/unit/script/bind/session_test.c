// What a connection and an answer are to scripts: their fields and methods.
#include "script/fake_call.h"
#include "script/fake_gate.h"

#define WS_HEADERS                                                             \
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static struct fake_peer *open_session(const char *line, const char *headers) {
  struct fake_call *call = fake_call_start(fake.worker, line, headers);
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  assert_non_null(peer);
  fake_turns();
  return peer;
}

static void leave(struct fake_peer *peer) {
  if (!peer->has_ended) fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

// Each line once, and nothing else, but only as far as it is given.
static void expect_lines(const char *const *lines, size_t count) {
  char *notes = mem_strdup(gate_notes()), *rest = notes;
  for (size_t i = 0; i < count; i++) {
    const char *line = strsep(&rest, "\n");
    if (line == NULL || strstr(line, lines[i]) == NULL)
      fail_msg("\"%s\", not \"%s\"", line, lines[i]);
  }
  assert_string_equal(rest, "");
  free(notes);
}

static void fields_of_a_connection(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/{room}', { protocols = { 'b', 'a' }, open = function(ws)\n"
      "  note(ws.params.room, ws.query.x, ws.query.y, ws.protocol, ws.peer, type(ws.id))\n"
      "  note(ws.data == ws.data, next(ws.data), ws.nothing, ws[5], tostring(ws) == 'ws ' .. "
      "ws.id)\n"
      "  ws.mine = 7 ws.data = 'mine' note(ws.mine, ws.data)\n"
      "  note(pcall(function() return ws.send(5, 'x') end))\n"
      "  note(pcall(function() return ws.join(5, 'x') end))\n"
      "  note(ws == ws, ws.send == ws.send)\n"
      "  local kept = ws\n"
      "  gate.after(1, function()\n"
      "    note(tostring(kept), kept.mine, kept.peer, kept:send('x'))\n"
      "    note(kept:buffered(), kept:topics())\n"
      "    note(kept:ping()) note(kept:close()) note(kept:leave('t')) note(kept:join('t'))\n"
      "    note(kept:recv()) note(kept:drain())\n"
      "  end)\n"
      "end })\n");
  struct fake_peer *peer =
      open_session("GET /den?x=1", WS_HEADERS "Sec-WebSocket-Protocol: a, b\r\n");
  static const char colon_of_join[] =
      "conn.join: write conn:join(...), with a colon (the first argument is no ws or stream: got "
      "number)";
  static const char *const open[] = {
      "den 1 nil a  number",
      "true nil nil nil true",
      "7 mine",
      "ws.send: write ws:send(...), with a colon (the first argument is no ws: got number)",
      colon_of_join,
      "true true"};
  expect_lines(open, sizeof open / sizeof *open);
  leave(peer);
  fake_wait_ms(1000);
  static const char *const over[] = {"ws (closed) 7  nil closed closed",
                                     "0 nil closed closed",
                                     "nil closed closed",
                                     "nil closed closed",
                                     "nil closed closed",
                                     "nil closed closed",
                                     "nil closed closed",
                                     "nil closed closed"};
  expect_lines(over, sizeof over / sizeof *over);
}

static void methods_of_a_websocket(void **state) {
  (void)state;
  gate_open(
      "gate.ws('/', { open = function(ws)\n"
      "  note(ws:send('text')) note(ws:send({ 1 }, 'binary')) note(ws:send('\\xff'))\n"
      "  note(ws:send({ '\\xff' }, 'binary')) note(ws:send('\\xff', 'binary'))\n"
      "  note(pcall(ws.send, ws, 5)) note(pcall(ws.send, ws, 'x', 'y'))\n"
      "  note(ws:ping()) note(ws:ping('data')) note(ws:ping(('x'):rep(126)))\n"
      "  note(ws:close(999)) note(ws:close(1005)) note(ws:close(1000, ('x'):rep(124)))\n"
      "  note(pcall(ws.close, ws, 'x'))\n"
      "  note(ws:close(4001, 'bye')) note(ws:close()) note(ws:send('x')) note(ws:ping())\n"
      "end })\n");
  struct fake_peer *peer = open_session("GET /", WS_HEADERS);
  static const char *const lines[] = {"true",
                                      "true",
                                      "nil text must be UTF-8 utf8",
                                      "nil text must be UTF-8 utf8",
                                      "true",
                                      "false send: data must be a string or a table (got number)",
                                      "false send: kind must be \"text\" or \"binary\"",
                                      "true",
                                      "true",
                                      "nil a ping holds at most 125 bytes invalid",
                                      "nil a close code must be one that a server may send invalid",
                                      "nil a close code must be one that a server may send invalid",
                                      "nil a reason is UTF-8 of at most 123 bytes invalid",
                                      "false bad argument #2",
                                      "true",
                                      "nil closed closed",
                                      "nil closed closed",
                                      "nil closed closed"};
  expect_lines(lines, sizeof lines / sizeof *lines);
  assert_true(fake_peer_has(peer, "\x81\x04text\x82\x03[1]\x82\x01\xff\x89"));
  assert_true(fake_peer_has(peer,
                            "\x88\x05\x0f\xa1"
                            "bye"));
  leave(peer);
}

static void the_answer_of_a_request(void **state) {
  (void)state;
  gate_open(
      "gate.get('/', function(req, res)\n"
      "  note(res.started, res.nothing, pcall(res.status, res, 99))\n"
      "  note(pcall(res.status, res, 'x'))\n"
      "  note(res:header('a b', 'x'))\n"
      "  note(pcall(res.header, res, 'Content-Length', '5'))\n"
      "  note(res:header('X-A', '1'):header('x-a', '2') == res)\n"
      "  note(res:header('Vary', 'a'):header('vary', 'b') == res)\n"
      "  note(res:cookie('a', 'b', { path = '/x', domain = 'd.example', max_age = 1.5,\n"
      "    secure = true, http_only = false, same_site = 'Strict' }) == res)\n"
      "  note(res:cookie('a b', 'c'))\n"
      "  note(pcall(res.cookie, res, 'a', 'b', { max_age = -1 }))\n"
      "  note(pcall(res.cookie, res, 'a', 'b', { age = 1 }))\n"
      "  note(pcall(res.cookie, res, 'a', 'b', 5))\n"
      "  return 'x'\n"
      "end)\n"
      "local kept\n"
      "gate.get('/keep', function(req, res) kept = res return 'x' end)\n"
      "gate.get('/kept', function()\n"
      "  note(kept.started, kept:write('x')) note(kept:finish())\n"
      "  note(kept:status(200) == kept, kept:header('a', 'b') == kept, kept:cookie('a', 'b') == "
      "kept)\n"
      "end)\n");
  struct fake_call *call = fake_call_start(fake.worker, "GET /", "");
  expect_answer(call, 200, "x");
  assert_string_equal(fake_call_text(&call->fields),
                      "x-a: 2\nVary: a\nvary: b\n"
                      "Set-Cookie: a=b; Path=/x; Domain=d.example; Max-Age=2; Secure; "
                      "SameSite=Strict\nContent-Type: text/plain; charset=utf-8\n");
  static const char *const lines[] = {
      "false nil false bad argument #2",
      "false bad argument #2",
      "nil a header name or value has characters that HTTP forbids header",
      "false the header Content-Length belongs to the server",
      "true",
      "true",
      "true",
      " cookie",
      "false cookie: max_age must be a number from 0",
      "false cookie: unknown option \"age\"",
      "table expected, got number"};
  expect_lines(lines, sizeof lines / sizeof *lines);
  fake_call_free(call);
  call = fake_call_start(fake.worker, "GET /keep", "");
  fake_call_free(call);
  call = fake_call_start(fake.worker, "GET /kept", "");
  expect_notes("true nil closed closed\nnil closed closed\ntrue true true\n");
  fake_call_free(call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(fields_of_a_connection),
      gate_test(methods_of_a_websocket),
      gate_test(the_answer_of_a_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
