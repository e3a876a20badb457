// What handlers return and what clients get for it, over calls without a connection.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static struct fake_call *ask(const char *line, const char *headers) {
  return fake_call_start(fake.worker, line, headers);
}

static void expect(const char *line, int status, const char *fields, const char *body) {
  struct fake_call *call = ask(line, "");
  expect_answer(call, status, body);
  assert_string_equal(fake_call_text(&call->fields), fields);
  fake_call_free(call);
}

#define TEXT "Content-Type: text/plain; charset=utf-8\n"

static void every_way_to_answer(void **state) {
  (void)state;
  gate_open(
      "gate.get('/text', function() return 'hello' end)\n"
      "gate.get('/table', function() return { a = 1 } end)\n"
      "gate.get('/nothing', function() end)\n"
      "gate.get('/status', function() return 404 end)\n"
      "gate.get('/status/text', function() return 201, 'made', { ['X-A'] = 'b' } end)\n"
      "gate.get('/status/table', function() return 422, { why = 'x' } end)\n"
      "gate.get('/number', function() return 200, 7 end)\n"
      "gate.get('/many', function() return 200, 'x', { ['X-M'] = { 'a', 'b' } } end)\n"
      "gate.get('/type', function(_, res) res:header('Content-Type', 'a/b') return 'x' end)\n"
      "gate.get('/bodiless', function() return 304 end)\n"
      "gate.get('/login', function() return 401 end)\n"
      "gate.get('/own/status', function(_, res) res:status(202) return 'x' end)\n"
      "gate.get('/own/finish', function(_, res) res:status(202):finish() end)\n"
      "gate.get('/own/cookie', function(_, res) res:cookie('a', 'b') return 'x' end)\n");
  expect("GET /text", 200, TEXT, "hello");
  expect("GET /table", 200, "Content-Type: application/json\n", "{\"a\":1}");
  expect("GET /nothing", 204, "", "");
  expect("GET /status", 404, TEXT, "Not Found\n");
  expect("GET /status/text", 201, "X-A: b\n" TEXT, "made");
  expect("GET /status/table", 422, "Content-Type: application/json\n", "{\"why\":\"x\"}");
  expect("GET /number", 200, TEXT, "7");
  expect("GET /many", 200, "X-M: a\nX-M: b\n" TEXT, "x");
  expect("GET /type", 200, "Content-Type: a/b\n", "x");
  expect("GET /bodiless", 304, "", "");
  expect("GET /login", 401, "WWW-Authenticate: Bearer\n" TEXT, "Unauthorized\n");
  expect("GET /own/status", 202, TEXT, "x");
  expect("GET /own/finish", 202, "", "");
  expect("GET /own/cookie", 200, "Set-Cookie: a=b; Path=/; HttpOnly; SameSite=Lax\n" TEXT, "x");
  expect("GET /no/such", 404, TEXT, "Not Found\n");
  expect("POST /text", 405, "Allow: GET, HEAD, OPTIONS\n" TEXT, "Method Not Allowed\n");
}

static const char failed[] = "internal server error\n";

static void what_is_no_answer_is_a_500_and_a_line_in_the_log(void **state) {
  (void)state;
  gate_open(
      "gate.get('/boolean', function() return true end)\n"
      "gate.get('/status', function() return 99 end)\n"
      "gate.get('/half', function() return 200.5 end)\n"
      "gate.get('/body', function() return 200, print end)\n"
      "gate.get('/json', function() return { print } end)\n"
      "gate.get('/utf8', function() return { '\\xff' } end)\n"
      "gate.get('/headers', function() return 200, 'x', 'y' end)\n"
      "gate.get('/name', function() return 200, 'x', { 'y' } end)\n"
      "gate.get('/value', function() return 200, 'x', { a = true } end)\n"
      "gate.get('/control', function() return 200, 'x', { a = 'b\\r\\nc' } end)\n"
      "gate.get('/own', function() return 200, 'x', { ['Content-Length'] = '1' } end)\n"
      "gate.get('/raised', function(_, res) res:header('X-A', 'b'):header('Vary', 'c')\n"
      "  error('on purpose') end)\n"
      "gate.get('/table', function() error({}) end)\n"
      "gate.get('/order', function() return 'no such page', 404 end)\n"
      "gate.get('/order/table', function() return { a = 1 }, 201 end)\n"
      "gate.get('/order/headers', function() return 'x', { ['X-A'] = 'b' } end)\n"
      "gate.get('/order/several', function() return 200, gate.history('x') end)\n"
      "gate.get('/order/nil', function() return nil, 404 end)\n"
      "gate.get('/order/gsub', function() return ('a'):gsub('a', 'b') end)\n");
  static const struct {
    const char *line, *logged;
  } rows[] = {
      {"GET /boolean",
       "main.lua:8: this handler returned true; it may return a string, a table, a status, or "
       "status, body, headers"},
      {"GET /status",
       "main.lua:9: this handler returned 99; a status is a whole number from 200 to 599"},
      {"GET /half", "main.lua:10: this handler returned 200.5; a status is"},
      {"GET /body", "main.lua:11: this handler returned a function as the body; it must be"},
      {"GET /json", "main.lua:12: this handler returned a table that has no JSON form: "},
      {"GET /utf8", "main.lua:13: this handler returned a table with text that is not UTF-8"},
      {"GET /headers",
       "main.lua:14: this handler returned headers as a string; they must be a table of name = "
       "value"},
      {"GET /name", "main.lua:15: this handler returned headers with a name that is no string (1)"},
      {"GET /value", "main.lua:16: this handler returned header a as true; it must be a string"},
      {"GET /control",
       "main.lua:17: this handler returned header a, which has characters that HTTP forbids"},
      {"GET /own",
       "main.lua:18: this handler returned the header Content-Length, which belongs to the server"},
      {"GET /raised", "on purpose\nstack traceback:"},
      {"GET /order",
       "main.lua:22: this handler returned a string and then 404; the order is status, "
       "body, headers (return 404, body)"},
      {"GET /order/table", "main.lua:23: this handler returned a table and then 201; the order is"},
      {"GET /order/headers", "main.lua:24: this handler returned a string and then a table; the"},
      {"GET /order/several",
       "main.lua:25: this handler returned header recovered as false; it must be a string. Put a "
       "call that gives several values in parentheses"},
      {"GET /order/nil", "main.lua:26: this handler returned nil and then 404; the order is"},
      {"GET /order/gsub", "main.lua:27: this handler returned a string and then 1; the order is"},
      {"GET /table", "(error object is a table value)"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_log_clear();
    struct fake_call *call = ask(rows[i].line, "");
    expect_answer(call, 500, failed);
    if (!fake_log_has(rows[i].logged)) fail_msg("no \"%s\" in %s", rows[i].logged, fake_log_text);
    assert_true(fake_log_has("conn=77"));
    assert_null(strstr(fake_call_text(&call->fields), "X-A"));
    fake_call_free(call);
  }
  assert_true(fake_log_has("route=GET /table"));
}

static void an_answer_that_fails_is_named_after_who_gave_it(void **state) {
  (void)state;
  gate_open(
      "local function pass(req, res, next) return next() end\n"
      "local function late(req, res, next) next()\n"
      "  return true end\n"
      "local function early() return 'x', 404 end\n"
      "gate.get('/handler', pass, function() return true end)\n"
      "gate.get('/late', pass, late, pass, function() return 'x' end)\n"
      "gate.get('/early', pass, early, function() end)\n"
      "gate.get('/failed', function() return nil, 'no such thing', 'missing' end)\n");
  static const struct {
    const char *line, *logged;
  } rows[] = {
      {"GET /handler", "main.lua:12: this handler returned true"},
      {"GET /late", "main.lua:9: this handler returned true"},
      {"GET /early", "main.lua:11: this handler returned a string and then 404"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_log_clear();
    struct fake_call *call = ask(rows[i].line, "");
    expect_answer(call, 500, failed);
    if (!fake_log_has(rows[i].logged)) fail_msg("no \"%s\" in %s", rows[i].logged, fake_log_text);
    fake_call_free(call);
  }
  // What failed is no answer, and no mistake.
  expect("GET /failed", 204, "", "");
}

static void what_a_call_gives_beside_its_value_is_no_answer(void **state) {
  (void)state;
  gate_open(
      "gate.topic('kept', { history = 1 })\n"
      "gate.get('/history', function() return gate.history('kept') end)\n"
      "gate.get('/history/none', function() return gate.history('a*') end)\n"
      "gate.get('/topics', function() return gate.topics('none/*') end)\n"
      "gate.get('/topics/none', function() return gate.topics('') end)\n"
      "gate.get('/presence', function() return gate.presence('kept') end)\n"
      "gate.get('/publish/none', function() return gate.publish('a*', 'x') end)\n"
      "gate.get('/decode', function() return gate.json.decode('[1]') end)\n"
      "gate.get('/decode/none', function() return gate.json.decode('[') end)\n"
      "gate.get('/match', function() return ('a-b'):match('(.)-(.)') end)\n"
      "gate.get('/guard', function(req, res, next) return next() end,\n"
      "  function() return gate.history('kept') end)\n"
      "gate.get('/flag', function() return 'x', true end)\n"
      "gate.get('/publish', function() return gate.publish('kept', 'x') end)\n");
  static const struct {
    const char *line;
    int status;
    const char *type, *body;
  } rows[] = {
      {"GET /history", 200, "Content-Type: application/json\n", "[]"},
      {"GET /history/none", 204, "", ""},
      {"GET /topics", 200, "Content-Type: application/json\n", "[]"},
      {"GET /topics/none", 204, "", ""},
      {"GET /presence", 200, "Content-Type: application/json\n", "[]"},
      {"GET /publish/none", 204, "", ""},
      {"GET /decode", 200, "Content-Type: application/json\n", "[1]"},
      {"GET /decode/none", 204, "", ""},
      {"GET /match", 200, TEXT, "a"},
      {"GET /guard", 200, "Content-Type: application/json\n", "[]"},
      {"GET /flag", 200, TEXT, "x"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect(rows[i].line, rows[i].status, rows[i].type, rows[i].body);
  struct fake_call *call = ask("GET /publish", "");
  assert_int_equal(call->status, 200);
  fake_call_free(call);
}

static void what_comes_after_the_head_is_named_in_the_log(void **state) {
  (void)state;
  gate_open(
      "gate.get('/status', function(_, res) res:write('a') return 404 end)\n"
      "gate.get('/text', function(_, res) res:write('a') return 'b' end)\n"
      "gate.get('/write', function(_, res) return res:write('a') end)\n");
  static const struct {
    const char *line, *logged;
  } rows[] = {
      {"GET /status", "main.lua:8: this handler returned 404 after the response had started"},
      {"GET /text", "main.lua:9: this handler returned a string after the response had started"},
      {"GET /write", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_log_clear();
    struct fake_call *call = ask(rows[i].line, "");
    expect_answer(call, 200, "a");
    assert_int_equal(fake_log_has("had started"), rows[i].logged != NULL);
    if (rows[i].logged != NULL && !fake_log_has(rows[i].logged))
      fail_msg("no \"%s\" in %s", rows[i].logged, fake_log_text);
    fake_call_free(call);
  }
}

static void in_development_the_client_is_shown_the_error(void **state) {
  (void)state;
  scripts_open();
  gate_write("gate.get('/', function() error('on purpose', 0) end)");
  fake_server_configure();
  fake_server_set("dev", "true");
  assert_null(gate_try_start());
  struct fake_call *call = ask("GET /", "");
  assert_int_equal(call->status, 500);
  assert_string_equal(fake_call_text(&call->fields), TEXT);
  assert_non_null(strstr(fake_call_text(&call->body), "/main.lua:8: on purpose"));
  fake_call_free(call);
}

static void pieces_go_out_as_they_are_written(void **state) {
  (void)state;
  gate_open(
      "gate.get('/', function(_, res)\n"
      "  note(res.started, res:write('one '), res.started)\n"
      "  note(res:write('two '))\n"
      "  note(res:write('three'))\n"
      "end)\n");
  struct fake_call *call = fake_call_new(fake.worker, "GET /", "");
  call->is_full = true;
  fake.app.request(&call->call);
  expect_notes("");
  assert_string_equal(fake_call_text(&call->body), "one ");
  fake.app.request_drained(&call->call);
  assert_string_equal(fake_call_text(&call->body), "one two ");
  call->is_full = false;
  fake.app.request_drained(&call->call);
  expect_answer(call, 200, "one two three");
  expect_notes("false true true\ntrue\ntrue\n");
  fake_call_free(call);
}

static void an_error_behind_the_head_cuts_the_answer(void **state) {
  (void)state;
  gate_open("gate.get('/', function(_, res) res:write('half') error('on purpose') end)\n");
  struct fake_call *call = ask("GET /", "");
  assert_true(call->is_aborted && !call->is_ended);
  assert_true(fake_log_has("on purpose"));
  fake_call_free(call);
}

static void a_handler_waits_for_the_body(void **state) {
  (void)state;
  gate_open(
      "gate.post('/text', function(req) return req:body() end)\n"
      "gate.post('/json', function(req) local v, _, code = req:json()\n"
      "  return code or { v.a + 1 } end)\n"
      "gate.post('/form', function(req) local f, _, code = req:form() return code or f.a end)\n"
      "gate.post('/twice', function(req) return req:body() .. req:body() end)\n"
      "gate.post('/two', function(req)\n"
      "  gate.spawn(function() note(pcall(req.body, req)) end)\n"
      "  return req:body() end)\n");
  static const struct {
    const char *line, *headers, *body, *answer;
  } rows[] = {
      {"POST /text", "", "hello", "hello"},
      {"POST /json", "", "{\"a\":1}", "[2]"},
      {"POST /json", "", "{", "json"},
      {"POST /form", "Content-Type: application/x-www-form-urlencoded\r\n", "a=1+2&b", "1 2"},
      {"POST /form", "Content-Type: text/plain\r\n", "a=1", "content_type"},
      {"POST /twice", "", "ab", "abab"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_call *call = ask(rows[i].line, rows[i].headers);
    if (strcmp(rows[i].answer, "content_type") != 0) assert_false(call->is_ended);
    fake_call_upload(call, rows[i].body);
    expect_answer(call, 200, rows[i].answer);
    fake_call_free(call);
  }
  struct fake_call *call = ask("POST /two", "");
  fake_wait_ms(1);
  assert_non_null(strstr(gate_notes(), "another task waits for this body already"));
  fake_call_upload(call, "x");
  expect_answer(call, 200, "x");
  fake_call_free(call);
}

static void what_waits_hears_that_the_peer_has_gone(void **state) {
  (void)state;
  gate_open(
      "gate.post('/body', function(req) note(req:body()) note(req.path, req.method, req.query.q)\n"
      "  note(req.headers) note(req:body()) note(req:bearer()) return 'late' end)\n"
      "gate.get('/write', function(_, res) note(res:write('x')) note(res:write('y'))\n"
      "  note(res:finish()) end)\n"
      "gate.get('/sleep', function() gate.sleep(1) note('slept') return 'late' end)\n");
  struct fake_call *call = ask("POST /body?q=1", "Authorization: Bearer t\r\n");
  fake_call_close(call);
  expect_notes("nil closed closed\n/body POST 1\nnil\nnil closed closed\n\n");
  fake_call_free(call);
  call = fake_call_new(fake.worker, "GET /write", "");
  call->is_full = true;
  fake.app.request(&call->call);
  fake_call_close(call);
  expect_notes("nil closed closed\nnil closed closed\nnil closed closed\n");
  fake_call_free(call);
  call = ask("GET /sleep", "");
  fake_call_close(call);
  fake_call_free(call);
  fake_wait_ms(1000);
  expect_notes("slept\n");
}

static void the_fields_of_a_request(void **state) {
  (void)state;
  gate_open(
      "gate.get('/a/{x}', function(req)\n"
      "  return table.concat({ req.method, req.path, req.raw_path, req.params.x, req.query.a,\n"
      "    req.peer, req.headers['x-b'], req.cookies.c, tostring(req.is_upgrade),\n"
      "    tostring(req.headers == req.headers), req:bearer() or 'none', tostring(req.nothing),\n"
      "    req.id:match('^77%-%d+$') and 'id' }, '|')\n"
      "end)\n"
      "gate.get('/set', function(req) req.mine = 1 req.path = 'p' return req.mine .. req.path end)"
      "\n");
  struct fake_call *call =
      ask("GET /a/b%20c?a=1&a=2", "X-B: 1\r\nx-b: 2\r\nCookie: c=3; c=4\r\nCookie: d=5\r\n");
  expect_answer(call, 200, "GET|/a/b c|/a/b%20c|b c|1|fake|1, 2|3|false|true|none|nil|id");
  fake_call_free(call);
  expect("GET /set", 200, TEXT, "1p");
}

static void a_loss_of_memory_anywhere_is_a_500_and_no_more(void **state) {
  (void)state;
  gate_open(
      "gate.use(function(req, res, next) res:header('X-A', 'b') return next() end)\n"
      "gate.post('/{a}', function(req, res)\n"
      "  local body = req:body()\n"
      "  return { req.params.a, req.query, req.headers, body .. body }\n"
      "end)\n");
  struct vm *vm = gate_vm();
  size_t cap = vm->memory_max_bytes, failures = 0, answers = 0;
  for (size_t room = 0; answers == 0; room += 8) {
    // What earlier rounds left for reuse must not hide a want of memory.
    lua_gc(vm->L, LUA_GCCOLLECT);
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room;
    struct fake_call *call = ask("POST /x?b=c&d=e", "X-Y: z\r\n");
    if (!call->is_ended) fake_call_upload(call, "some body");
    assert_true(call->is_ended);
    assert_in_set((uintmax_t)call->status, ((uintmax_t[]){200, 500}), 2);
    if (call->status == 200) answers++;
    if (call->status == 500) failures++;
    fake_call_free(call);
    vm->memory_max_bytes = cap;
    assert_true(list_is_empty(&tasks_of(vm)->all));
  }
  assert_true(failures > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(every_way_to_answer),
      gate_test(what_is_no_answer_is_a_500_and_a_line_in_the_log),
      gate_test(an_answer_that_fails_is_named_after_who_gave_it),
      gate_test(what_a_call_gives_beside_its_value_is_no_answer),
      gate_test(what_comes_after_the_head_is_named_in_the_log),
      gate_test(in_development_the_client_is_shown_the_error),
      gate_test(pieces_go_out_as_they_are_written),
      gate_test(an_error_behind_the_head_cuts_the_answer),
      gate_test(a_handler_waits_for_the_body),
      gate_test(what_waits_hears_that_the_peer_has_gone),
      gate_test(the_fields_of_a_request),
      gate_test(a_loss_of_memory_anywhere_is_a_500_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
