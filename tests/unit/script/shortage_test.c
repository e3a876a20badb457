// A lack of memory at every allocation of every function that scripts call, one after the other:
// the script gets an error, nothing leaks (the sanitizer looks), and the server goes on.
#include "script/fake_call.h"
#include "script/fake_gate.h"

// ---- an allocator that fails -----------------------------------------------

static struct {
  lua_Alloc inner;
  void *inner_arg;
  size_t max_bytes;   // of the VM otherwise
  long left;          // allocations until it has no memory
  unsigned in_a_row;  // that fail then: Lua tries again after a collection
} shortage;

// The cap falls to 0 before the allocation that fails, since C looks at it: see vm_push_text.
static void *allocate(void *arg, void *ptr, size_t old_bytes, size_t new_bytes) {
  struct vm *vm = arg;
  if (new_bytes <= (ptr == NULL ? 0 : old_bytes))
    return shortage.inner(shortage.inner_arg, ptr, old_bytes, new_bytes);
  if (vm->memory_max_bytes == 0) {
    if (--shortage.in_a_row == 0) vm->memory_max_bytes = shortage.max_bytes;
    return NULL;
  }
  void *made = shortage.inner(shortage.inner_arg, ptr, old_bytes, new_bytes);
  if (ptr == NULL && shortage.in_a_row > 0 && shortage.left-- == 0) vm->memory_max_bytes = 0;
  return made;
}

static void begin(long left, unsigned in_a_row) {
  struct vm *vm = gate_vm();
  shortage.left = left;
  shortage.in_a_row = in_a_row;
  shortage.max_bytes = vm->memory_max_bytes;
  shortage.inner = lua_getallocf(vm->L, &shortage.inner_arg);
  lua_setallocf(vm->L, allocate, vm);
}

// Whether it has failed.
static bool end(void) {
  struct vm *vm = gate_vm();
  bool has_failed = shortage.left < 0;
  vm->memory_max_bytes = shortage.max_bytes;
  lua_setallocf(vm->L, shortage.inner, shortage.inner_arg);
  return has_failed;
}

// ---- asking while it fails ---------------------------------------------------

#define WS_HEADERS                                                             \
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const char headers[] =
    "Cookie: a=b; c=d\r\nAuthorization: Bearer token\r\nX-A: b\r\nX-A: c\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n";

static void ask(const char *line, const char *with, const char *body) {
  struct fake_call *call = fake_call_new(fake.worker, line, with);
  buf_append_str(&call->upload, body);
  call->has_upload = true;
  fake.worker->app->request(&call->call);
  fake_turns();
  struct fake_peer *peer = call->peer;
  fake_call_free(call);
  if (peer == NULL) return;
  if (peer->session != NULL) fake_peer_send_frame(peer, 1, "hi", 2);
  fake_turns();
  if (!peer->has_ended && peer->session != NULL) fake_peer_end(peer);
  fake_turns();
  fake_peer_free(peer);
}

enum { TRIES_MAX = 3000 };

// Asks again and again; each time an allocation later fails, until none does.
static void sweep(const char *line, const char *with, const char *body, unsigned in_a_row) {
  long tries = 0;
  for (; tries < TRIES_MAX; tries++) {
    fake_log_clear();
    begin(tries, in_a_row);
    ask(line, with, body);
    if (!end()) break;
  }
  if (tries == TRIES_MAX) fail_msg("%s does not come to an end", line);
  // What has not failed must have run to its end, or raised as it should.
  if (strstr(fake_log_text, "error ") != NULL && strstr(fake_log_text, "on purpose") == NULL)
    fail_msg("%s: %s", line, fake_log_text);
  if (tries < 5) fail_msg("%s allocates %ld times: is it reached?", line, tries);
}

static void expect_alive(void) {
  fake_wait_ms(10);
  struct fake_call *call = fake_call_start(fake.worker, "GET /alive", "");
  fake_turns();
  expect_answer(call, 200, "alive");
  fake_call_free(call);
}

static void sweep_each(const char *line, const char *with, const char *body,
                       const char *const *codes, size_t count, const char *wrapper) {
  for (size_t i = 0; i < count; i++) {
    struct buf script = {0};
    buf_append_str(&script,
                   "local core = require 'tidegate.core'\n"
                   "gate.topic('h/*', { history = 5, presence = { grace = 0 } })\n"
                   "gate.get('/alive', function() return 'alive' end)\n");
    buf_printf(&script, wrapper, codes[i]);
    buf_append_char(&script, '\0');
    gate_open(script.data);
    buf_free(&script);
    sweep(line, with, body, 2);
    expect_alive();
    gate_close();
  }
}

#define COUNT(codes) (sizeof(codes) / sizeof *(codes))

static void functions(void **state) {
  (void)state;
  static const char *const codes[] = {
      "gate.publish('h/a', { a = 'x' }, { key = 'k', event = 'e' }) gate.count('h/a')\n"
      "gate.history('h/a', { limit = 2 }) gate.topics('h/*') gate.presence('h/a')",
      "gate.stats() gate.id() gate.now() core.options('publish', true) core.metrics()",
      "gate.json.decode(gate.json.encode({ 1, 'x', { a = { ('y'):rep(3000) } } }))\n"
      "gate.json.decode('[1')",
      "local token = gate.jwt.sign({ sub = 'a' }, 'secret') gate.jwt.verify(token, 'secret')",
      "local c = core.crypto c.base64url_decode(c.base64url(('x'):rep(500))) c.hex_decode(c.hex "
      "'x')\n"
      "core.url_decode('a%20b%41') c.hmac('sha256', 'k', 'd') c.digest('md5', 'd')",
      "core.nearest('gte', { 'get', 'put' }) local _ = gate.gte, gate.nothing core.methods()\n"
      "pcall(gate.topics, 'x', { lmit = 1 })",
      "gate.keep('name' .. gate.id(), {}) gate.keep('n2', function() return {} end)\n"
      "gate.env.PATH:len() gate.log.debug('x', {}, 5)",
      "local t = gate.after(0.001, function() end) gate.every(1, function() end):cancel()\n"
      "gate.spawn(function(a, b) return a .. b end, 'a', 'b') gate.sleep(0) t:cancel()",
      "setmetatable({}, { __gc = function() return {} end }) collectgarbage()\n"
      "local c <close> = setmetatable({}, { __close = function() return {} end })\n"
      "coroutine.wrap(function() coroutine.yield({}) end)()\n"
      "local co = coroutine.create(function() error({}) end) coroutine.resume(co)\n"
      "coroutine.resume(co) coroutine.close(co) load('return {}')()\n"
      "debug.getinfo(1) debug.traceback('x') debug.getlocal(1, 1)",
      "error(setmetatable({}, { __tostring = function() return 'on purpose' .. ('x'):rep(50) end "
      "}))",
      "error('on purpose' .. ('x\\0'):rep(50))",
  };
  sweep_each("GET /", "", "", codes, COUNT(codes), "gate.get('/', function() %s end)");
}

static void of_requests(void **state) {
  (void)state;
  static const char *const codes[] = {
      "for _, name in ipairs { 'method', 'path', 'raw_path', 'query', 'peer', 'headers', "
      "'cookies',\n"
      "  'is_upgrade', 'id', 'params' } do local _ = req[name] end req.x = {} req:bearer()",
      "req:body() req:form() req:json() req:query_all('b') req:query_all()\n"
      "req:form_all('a') req:form_all()",
      "error(\"attempt to call a nil value (method 'sned'): on purpose\", 0)",
      "res:status(201):header('X-A', 'b') res:cookie('a', 'b', { path = '/', max_age = 5 })\n"
      "return 200, { a = { 'b' } }, { ['X-B'] = { 'c', 'd' } }",
      "res:write('a') res:write('b') res:status(404) return 404",
      "res:header('X-A', 'b') res:finish() return 404",
      "error('on purpose')",
  };
  sweep_each("POST /a%20b?a=b%20c&d&a=e+f", headers, "a=b%20c&d=e+f", codes, COUNT(codes),
             "gate.use(function(req, res, next) return next() end)\n"
             "gate.post('/{name}', function(req, res) %s end)");
}

static const char *const session_codes[] = {
    "conn:join('h/a', { since = 'first', as = 'me', info = { a = 'b' }, lag = 'skip' })\n"
    "conn:topics() conn:leave('h/a') conn:leave('h/a')",
    "conn:send({ data = { 'x' } }) conn:send('y') conn:buffered() tostring(conn)\n"
    "local _ = conn.query, conn.params, conn.peer, conn.id conn.x = {}",
    "conn:drain(0.001) conn:close()",
};

static void of_websockets(void **state) {
  (void)state;
  sweep_each("GET /?a=b%20c", WS_HEADERS, "", session_codes, COUNT(session_codes),
             "gate.ws('/', { open = function(conn) %s end, message = function(ws, text) ws:send { "
             "text } end, close = function(ws, code, reason) return { code, reason } end })");
  static const char *const codes[] = {"ws:send(ws:recv() or 'x') ws:ping('x')",
                                      "for data, kind in ws:messages() do ws:send(data, kind) end"};
  sweep_each("GET /?a=b%20c", WS_HEADERS, "", codes, COUNT(codes),
             "gate.ws('/', function(ws) %s end)");
}

static void of_streams(void **state) {
  (void)state;
  sweep_each("GET /?last_event_id=1-2", "", "", session_codes, COUNT(session_codes),
             "gate.sse('/', { open = function(conn) %s end })");
}

// Memory stays short for a while, so that what deals with the failure fails, too.
static void a_longer_shortage(void **state) {
  (void)state;
  gate_open(
      "gate.get('/alive', function() return 'alive' end)\n"
      "gate.get('/', function(req, res) gate.publish('t', { req.headers }) error('on purpose') "
      "end)\n"
      "gate.ws('/', { open = function(ws) ws:join('t') ws:send { 'x' } end })");
  for (unsigned in_a_row = 3; in_a_row < 40; in_a_row += 9) {
    sweep("GET /", headers, "", in_a_row);
    sweep("GET /", WS_HEADERS, "", in_a_row);
    expect_alive();
  }
}

static void while_scripts_load(void **state) {
  (void)state;
  gate_open("gate.get('/alive', function() return 'alive' end)");
  gate_write(
      "gate.topic('t', { history = 5 }) gate.subscribe('t', function() end)\n"
      "gate.every(1, function() end) gate.spawn(function() end) gate.on_presence('t', print)\n"
      "gate.ws('/ws', { message = function() end, protocols = { 'a' }, compress = true })\n"
      "gate.sse('/sse', function() end) gate.get('/alive', function() return 'alive' end)");
  // Some thousand allocations, most of them in the compiled framework: a sample.
  for (long tries = 0;; tries += 1 + tries / 8) {
    begin(tries, 2);
    char *error = gate_reload();
    bool has_failed = end();
    free(error);
    fake_turns();
    expect_alive();
    if (!has_failed) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(functions),  cmocka_unit_test(of_requests), cmocka_unit_test(of_websockets),
      cmocka_unit_test(of_streams), gate_test(a_longer_shortage),  gate_test(while_scripts_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
