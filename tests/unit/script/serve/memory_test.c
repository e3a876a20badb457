// Sessions and timers in a VM that runs out of memory at each of their allocations: they
// fail one by one, in the log and to the peer, and the server goes on.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static const char script[] =
    "gate.topic('t', { history = 5 })\n"
    "gate.ws('/callbacks', {\n"
    "  upgrade = function(req) return { name = req.query.name } end,\n"
    "  open = function(ws) ws:join('t', { as = ws.data.name, info = { 1 } }) end,\n"
    "  message = function(ws, text) ws:send({ text, ws.query.name }) gate.publish('t', text) end,\n"
    "  close = function(ws, code) note('closed', code) end })\n"
    "gate.ws('/task', function(ws)\n"
    "  for text in ws:messages() do ws:send({ text = text }) ws:drain() end\n"
    "end)\n"
    "gate.sse('/stream', { open = function(s)\n"
    "  s:join('t', { since = 'first' })\n"
    "  s:send({ event = 'e', data = { 1, 2 }, id = '5' })\n"
    "end, close = function() note('over') end })\n"
    "gate.post('/later', function()\n"
    "  gate.after(0.001, function(...) note('ran') end)\n"
    "  gate.spawn(function(...) return { ... } end, 1, {}, 'x')\n"
    "end)\n";

#define WS_HEADERS                                                             \
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// One life of a session, or one request. True when nothing went wrong.
typedef bool scene(void);

static bool serve(const char *line, const char *headers, const char *message) {
  struct fake_call *call = fake_call_start(fake.worker, line, headers);
  struct fake_peer *peer = call->peer;
  bool ok = call->is_ended && call->status < 500;
  fake_turns();
  for (int i = 0; i < 3 && peer != NULL && message != NULL; i++) {
    fake_peer_send_frame(peer, 1, message, strlen(message));
    fake_turns();
  }
  if (peer != NULL) {
    fake_peer_end(peer);
    fake_turns();
    fake_wait_ms(6000);
    fake_peer_free(peer);
  }
  fake_call_free(call);
  fake_wait_ms(10);
  return ok && !fake_log_has("error");
}

static bool serve_callbacks(void) { return serve("GET /callbacks?name=ann", WS_HEADERS, "hello"); }
static bool serve_task(void) { return serve("GET /task", WS_HEADERS, "hello"); }
static bool serve_stream(void) { return serve("GET /stream?last_event_id=x", "", NULL); }
static bool serve_later(void) { return serve("POST /later", "", NULL); }

// What the VM holds once all that can go has gone.
static long long settled_bytes(void) {
  struct vm *vm = gate_vm();
  gate_notes();
  lua_gc(vm->L, LUA_GCCOLLECT);
  lua_gc(vm->L, LUA_GCCOLLECT);
  return metric_get(&vm->metrics.vm_bytes);
}

static void run_out_of_memory_in(scene *play) {
  gate_open(script);
  struct vm *vm = gate_vm();
  size_t cap = vm->memory_max_bytes;
  assert_true(play());
  long long at_first = settled_bytes();
  unsigned failures = 0;
  bool ok = false;
  for (size_t room = 0; !ok; room += 8) {
    gate_notes();
    lua_gc(vm->L, LUA_GCCOLLECT);
    fake_log_clear();
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room;
    ok = play();
    vm->memory_max_bytes = cap;
    if (!ok) failures++;
    // Whatever failed is gone, and nothing else.
    assert_true(list_is_empty(&tasks_of(vm)->all));
    assert_int_equal(fake.worker->conns.count, 0);
    assert_int_equal(metric_get(&fake.server.stats.websockets), 0);
  }
  assert_true(failures > 20);
  fake_log_clear();
  assert_true(play());
  long long kept = settled_bytes() - at_first;
  if (kept > 1000) fail_msg("%u failures left %lld bytes", failures, kept);
}

static void sessions_with_callbacks(void **state) {
  (void)state;
  run_out_of_memory_in(serve_callbacks);
}

static void sessions_with_a_task(void **state) {
  (void)state;
  run_out_of_memory_in(serve_task);
}

static void streams(void **state) {
  (void)state;
  run_out_of_memory_in(serve_stream);
}

static void timers(void **state) {
  (void)state;
  run_out_of_memory_in(serve_later);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(sessions_with_callbacks),
      gate_test(sessions_with_a_task),
      gate_test(streams),
      gate_test(timers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
